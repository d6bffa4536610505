"""The original Budget's adapter for Apollo, and its enhanced one: their functions, answered truly."""

import asyncio
import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tekton_budget.frontends.tekton.apollo import ApolloEnhancedAdapter


@pytest.fixture
def store_url(sqlite_url: str) -> str:
    """One store will do: crowds of callers are tried on both."""
    return sqlite_url


OPUS = {"provider": "anthropic", "model": "claude-3-opus"}


@pytest.fixture
def adapter(manager) -> ApolloEnhancedAdapter:
    return ApolloEnhancedAdapter(manager())


@pytest.fixture
def priced(adapter: ApolloEnhancedAdapter) -> ApolloEnhancedAdapter:
    for provider, model, read, written in (
        ("anthropic", "claude-3-opus", 15, 75),
        ("anthropic", "claude-3-haiku", "0.25", "1.25"),
        ("openai", "gpt-4", 30, 60),
        ("ollama", "llama-3", 0, 0),
    ):
        adapter.budget.set_price(provider, model, input=read, output=written)
    return adapter


def test_tokens_are_allocated_used_and_released(adapter) -> None:
    given = adapter.allocate_tokens("c", 1000, "midweight", **OPUS)
    used = adapter.record_token_usage("c", 300, 200, *OPUS.values(), request_id="r")
    stands = adapter.get_allocation_status(given["allocation_id"])

    assert given == {
        "allocation_id": given["allocation_id"],
        "context_id": "c",
        "amount": 1000,
        "remaining": 1000,
        "tier": "midweight",
        "success": True,
    }
    assert used == {"context_id": "c", "recorded_tokens": 500, "remaining": 500, "success": True}
    assert stands == {
        "allocation_id": given["allocation_id"],
        "context_id": "c",
        "allocated": 1000,
        "used": 500,
        "remaining": 500,
        "tier": "midweight",
        "is_active": True,
        "created_at": "2026-03-11T10:15:30",
        "expires_at": "2026-03-12T10:15:30",
        "success": True,
    }
    id_ = given["allocation_id"]
    assert adapter.release_allocation(id_) == {"allocation_id": id_, "success": True}
    assert adapter.release_allocation(id_) == {"allocation_id": id_, "success": False}
    assert not adapter.get_allocation_status(id_)["is_active"]
    [record] = adapter.budget.usage_records()["items"]
    assert (record["input_tokens"], record["output_tokens"], record["request_id"]) == (
        300,
        200,
        "r",
    )


def test_what_cannot_be_is_answered_with_the_reason(adapter) -> None:
    assert adapter.set_budget_limit("heavyweight", "daily", 100, policy_type="hard_limit")[
        "success"
    ]
    denied = adapter.allocate_tokens("c", 101)

    assert (denied["success"], denied["amount"], denied["remaining"]) == (False, 0, 0)
    assert denied["error"].startswith("Over budget")
    assert adapter.get_allocation_status("nobody") == {
        "allocation_id": "nobody",
        "success": False,
        "error": "Allocation not found",
    }
    assert not adapter.release_allocation("nobody")["success"]
    assert "tier" in adapter.allocate_tokens("c", 1, "enormous")["error"]
    assert "period" in adapter.get_budget_status("yearly")["error"]
    assert "tier" in adapter.set_budget_limit("enormous", "daily", 5)["error"]
    assert not adapter.record_token_usage("c", -1, 0, "p", "m")["success"]


def test_a_limit_is_set_once_and_keeps_its_type(adapter) -> None:
    first = adapter.set_budget_limit("lightweight", "weekly", 500)
    again = adapter.set_budget_limit("lightweight", "weekly", 600)
    known = adapter.set_budget_limit("heavyweight", "daily", 700, policy_type="hard_limit")
    kept = adapter.set_budget_limit("heavyweight", "daily", 800)

    assert first == {
        "tier": "lightweight",
        "period": "weekly",
        "limit": 500,
        "type": "warn",
        "policy_id": first["policy_id"],
        "success": True,
    }
    assert again["policy_id"] == first["policy_id"]
    assert (kept["policy_id"], kept["type"]) == (known["policy_id"], "hard_limit")
    assert len(adapter.manager.policies) == 10


def test_the_status_of_tiers_is_told_by_their_short_words(adapter) -> None:
    adapter.allocate_tokens("c", 1000)
    adapter.record_token_usage("c", 30, 20, *OPUS.values())
    adapter.record_token_usage("of nobody", 5, 5, "ollama", "llama-3")
    status = adapter.get_budget_status()

    assert set(status["tiers"]) == {"lightweight", "midweight", "heavyweight"}
    assert status["tiers"]["heavyweight"] == {
        "allocated": 1000,
        "used": 50,
        "remaining": 999_950,
        "limit": 1_000_000,
        "usage_percentage": 0.00005,
        "limit_exceeded": False,
    }
    assert status["tiers"]["midweight"]["used"] == 10  # it had no allocation, and was used
    assert set(adapter.get_budget_status("hourly", "lightweight")["tiers"]) == {"lightweight"}


def test_one_that_was_made_anew_is_still_found_by_its_id(adapter, clock) -> None:
    given = adapter.allocate_tokens("c", 1000)
    adapter.manager.update_allocation("c", extend_expiration=timedelta(days=3))
    adapter.record_token_usage("c", 10, 0, *OPUS.values())
    stands = adapter.get_allocation_status(given["allocation_id"])

    assert (stands["used"], stands["is_active"]) == (10, True)
    assert stands["expires_at"] == "2026-03-15T10:15:30"


def test_apollo_s_files_come_in_and_again_only_what_is_new(adapter, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    policy = adapter.manager.policies.popitem()[1].model_copy(
        update={"policy_id": "p", "type": "hard_limit"}
    )
    (folder / "budget_policies.json").write_text(f"[{policy.model_dump_json()}]")
    (folder / "usage_records_1773134043.json").write_text("[]")
    (folder / "notes.json").write_text("nothing of Apollo's")
    first = asyncio.run(adapter.migrate_from_apollo(str(folder)))
    again = asyncio.run(adapter.migrate_from_apollo(str(folder)))
    nothing = asyncio.run(adapter.migrate_from_apollo(str(tmp_path / "nowhere")))

    assert (first["success"], first["policies_migrated"], first["errors"]) == (True, 1, [])
    assert (again["success"], again["policies_migrated"]) == (True, 0)
    assert (nothing["success"], nothing["allocations_migrated"]) == (False, 0)
    assert "no files" in nothing["errors"][0]


def test_apollo_s_prices_fill_what_the_book_does_not_know(priced) -> None:
    first = asyncio.run(priced.migrate_pricing_data())
    again = asyncio.run(priced.migrate_pricing_data())

    assert first["success"]
    assert first["pricing_records_migrated"] >= 5
    assert again == {"success": True, "pricing_records_migrated": 0, "errors": []}
    assert priced.budget.current_price("openai", "gpt-4o")["input"] == 10


def test_guidance_keeps_to_tier_task_and_budget(priced) -> None:
    by_default = priced.provide_model_guidance("c", "chat", "a talk")
    for_code = priced.provide_model_guidance("c", "code", "a patch")
    cheap = priced.provide_model_guidance("c", "chat", "a talk", max_cost=0.01)
    light = priced.provide_model_guidance("c", "chat", "", ["ollama"], None, "midweight")

    assert set(by_default) == {
        "context_id",
        "task_type",
        "approaching_budget_limit",
        "preferred_tier",
        "recommended_models",
        "reasoning",
    }
    assert by_default["recommended_models"][0] == {
        "provider": "openai",
        "model": "gpt-4",
        "tier": "remote_heavyweight",
        "estimated_cost": Decimal("0.078"),
        "input_cost_per_token": Decimal("0.00003"),
        "output_cost_per_token": Decimal("0.00006"),
        "fits_budget": True,
    }
    assert _models(by_default)[:2] == ["gpt-4", "claude-3-opus"]
    assert _models(for_code)[0] == "claude-3-opus"
    assert set(_models(cheap)) == {"claude-3-haiku", "llama-3"}
    assert _models(light) == ["llama-3"]


def test_near_a_limit_the_cheapest_come_first_and_only_what_fits(priced) -> None:
    priced.set_budget_limit("heavyweight", "daily", 1000, policy_type="hard_limit")
    priced.record_token_usage("c", 800, 0, *OPUS.values())
    near = priced.provide_model_guidance("c", "code", "a patch")

    assert near["approaching_budget_limit"]
    assert _models(near) == ["llama-3", "claude-3-haiku"]  # the other tier has no room
    priced.budget.set_limit("0usd/day", name="nothing at all")
    priced.budget.set_limit("1tokens/day", name="nor tokens")
    none = priced.provide_model_guidance("c", "code", "a patch")
    assert not any(one["fits_budget"] for one in none["recommended_models"])
    assert "None of them fits" in none["reasoning"]


def _models(answer: dict) -> list[str]:
    return [one["model"] for one in answer["recommended_models"]]


def _use(adapter: ApolloEnhancedAdapter, task: str, provider: str, model: str, *counts) -> None:
    adapter.allocate_tokens(
        f"{task}-{model}", 100_000, task_type=task, provider=provider, model=model
    )
    for read, written in counts:
        adapter.record_token_usage(f"{task}-{model}", read, written, provider, model)


def test_analytics_tell_usage_from_every_side(priced) -> None:
    _use(priced, "code", *OPUS.values(), (1000, 500), (1000, 500))
    _use(priced, "chat", "anthropic", "claude-3-haiku", (100, 50))
    _use(priced, "chat", "openai", "gpt-4", (10, 20))
    found = priced.get_token_usage_analytics()
    one = priced.get_token_usage_analytics("hourly", provider="anthropic", task_type="chat")
    custom = priced.get_token_usage_analytics(
        start_date=priced.manager.get_allocation("chat-gpt-4").creation_time - timedelta(days=9),
        end_date=priced.manager.get_allocation("chat-gpt-4").creation_time - timedelta(days=8),
    )

    assert (found["period"], found["start_date"]) == ("daily", "2026-03-11T00:00:00")
    assert (found["total_input_tokens"], found["total_output_tokens"]) == (2110, 1070)
    assert (found["total_tokens"], found["record_count"]) == (3180, 4)
    assert found["total_cost"] == sum(p["cost"] for p in found["providers"].values())
    opus = found["providers"]["anthropic"]["models"]["claude-3-opus"]
    assert opus == {
        "input_tokens": 2000,
        "output_tokens": 1000,
        "total_tokens": 3000,
        "cost": Decimal("0.105"),
        "count": 2,
    }
    assert found["components"]["apollo"]["count"] == 4
    assert {name: one["count"] for name, one in found["task_types"].items()} == {
        "code": 2,
        "chat": 2,
    }
    assert sum(found["time_series"]["counts"]) == 4
    assert found["top_models"][0]["model"] == "claude-3-opus"
    assert (one["record_count"], set(one["providers"])) == (1, {"anthropic"})
    assert (custom["period"], custom["record_count"], custom["providers"]) == ("custom", 0, {})
    json.dumps(found, default=str)


def test_efficiency_compares_what_models_write_for_a_dollar(priced) -> None:
    _use(priced, "code", *OPUS.values(), (1000, 500), (3000, 500))
    _use(priced, "chat", *OPUS.values(), (1000, 3000))
    _use(priced, "code", "anthropic", "claude-3-haiku", *[(1000, 500)] * 3)
    _use(priced, "poems", "openai", "gpt-4", (10, 20))
    found = priced.get_completion_efficiency(*OPUS.values())

    assert (found["completion_count"], found["total_tokens"]) == (3, 9000)
    assert found["effectiveness_ratio"] == Decimal("0.8")
    assert found["total_cost"] == Decimal("0.375")
    assert found["cost_per_output_token"] == Decimal("0.00009375")
    assert found["avg_cost_per_completion"] == Decimal("0.125")
    assert found["task_types"]["code"]["effectiveness_ratio"] == Decimal("0.25")
    [other] = found["alternatives"]
    assert (other["model"], other["count"]) == ("claude-3-haiku", 3)
    assert "claude-3-haiku wrote" in found["recommendations"][0]
    assert '"chat"' in found["recommendations"][1]
    assert priced.get_completion_efficiency("openai", "gpt-5") == {
        "provider": "openai",
        "model": "gpt-5",
        "period": "daily",
        "context_id": None,
        "data_available": False,
        "message": "No usage data available for this query",
    }
    assert priced.get_completion_efficiency("ollama", "llama-3")["data_available"] is False
