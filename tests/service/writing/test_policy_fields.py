"""What people say of a policy becomes the policy, or a refusal that names the field."""

from decimal import Decimal
from typing import Any

import pytest

from tekton_budget.domain.amounts import Limits
from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.period import Period
from tekton_budget.domain.policy import Enforcement, Holding, PerMissing, Policy, Unpriced
from tekton_budget.service.limiting.policy_fields import (
    changed_policy,
    needs_replacement,
    new_policy,
)


def policy(**fields: Any) -> Policy:
    return new_policy(fields, policy_id="p", budget_id="b", zone="Europe/Berlin", now_us=7)


def test_one_line_says_limit_period_and_name() -> None:
    made = policy(limit="50usd/month", per=["user"], scope={"team": "a"})

    assert made.limits == Limits(None, 50 * 10**9, None)
    assert made.schedule.period is Period.MONTHLY
    assert made.schedule.zone == "Europe/Berlin"
    assert made.name == "team=a monthly per user"
    assert made.enforcement is Enforcement.HARD_LIMIT


def test_the_original_fields_are_understood() -> None:
    made = policy(
        type="WARN",
        period="daily",
        token_limit=1000,
        cost_limit=Decimal("1.5"),
        tier="remote_heavyweight",
        provider="openai",
        warning_threshold=Decimal("0.5"),
        action_threshold=80,
    )

    assert made.enforcement is Enforcement.WARN
    assert made.limits == Limits(1000, 1_500_000_000, None)
    assert made.scope.to_json() == {"tier": "remote_heavyweight", "provider": "openai"}
    assert made.thresholds_ppm == (500_000, 800_000)


@pytest.mark.parametrize(
    ("word", "enforcement"),
    [
        ("warning", "warn"),
        ("downgrade", "soft_limit"),
        ("enforce", "hard_limit"),
        ("ignore", "ignore"),
    ],
)
def test_words_of_older_interfaces_name_enforcements(word: str, enforcement: str) -> None:
    assert policy(limit="1usd/day", type=word).enforcement == enforcement


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "period"),
        ({"period": "daily"}, "limit"),
        ({"period": "fortnightly", "cost_limit": 1}, "period"),
        ({"limit": "1usd/day", "colour": "red"}, "colour"),
        ({"limit": "1usd/day", "name": "  "}, "name"),
        ({"limit": "1usd/day", "name": "a\nb"}, "name"),
        ({"period": "daily", "token_limit": -1}, "token_limit"),
        ({"period": "daily", "token_limit": True}, "token_limit"),
        ({"period": "daily", "cost_limit": "much"}, "cost_limit"),
        ({"period": "daily", "cost_limit": Decimal("-0.1")}, "cost_limit"),
        ({"limit": "1usd/day", "timezone": "Europe/Berlln"}, "timezone"),
        ({"limit": "1usd/day", "per": ["a", "a"]}, "per"),
        ({"limit": "1usd/day", "per": [""]}, "per"),
        ({"limit": "1usd/day", "thresholds": ["x"]}, "thresholds"),
        ({"limit": "1usd/day", "thresholds": [Decimal(0)]}, "thresholds"),
        (
            {"limit": "1usd/day", "thresholds": [Decimal(n) / 20 for n in range(1, 13)]},
            "thresholds",
        ),
        ({"limit": "1usd/day", "tokens_counted": ["thoughts"]}, "tokens_counted"),
        ({"limit": "1usd/day", "enforcement": "maybe"}, "enforcement"),
        ({"limit": "1usd/24h", "rollover": True}, "rollover"),
        ({"limit": "1usd/day", "starts_us": 9, "ends_us": 9}, "ends_at"),
        ({"limit": "1usd/day", "bypass_priority": 11}, "bypass_priority"),
        ({"limit": "1usd/day", "cost_limit": Decimal(2)}, "cost_limit"),
        ({"limit": "1usd/day", "period": "weekly"}, "period"),
        ({"limit": "1usd/day", "scope": {"model": "a"}, "model": "b"}, "model"),
        ({"limit": "1usd/day", "type": "warn", "enforcement": "hard_limit"}, "type"),
        ({"limit": "1usd/day", "landing": 1}, "landing"),
        ({"limit": "1usd/day", "landing": "100%"}, "landing"),
        ({"limit": "1usd/day", "landing": Decimal("-0.1")}, "landing"),
        ({"limit": "1usd/day", "landing": "a bit"}, "landing"),
        ({"limit": "1usd/day", "landing": "NaN"}, "landing"),
        ({"limit": "1usd/day", "landing": True}, "landing"),
        ({"limit": "1usd/day", "landing": "10%", "enforcement": "soft_limit"}, "landing"),
        ({"limit": "1usd/day", "ladder": "gpt-5"}, "ladder"),
        ({"limit": "1usd/day", "ladder": ["gpt-5", "gpt-5"]}, "ladder"),
        ({"limit": "1usd/day", "ladder": ["a\tb"]}, "ladder"),
        ({"limit": "1usd/day", "ladder": [""]}, "ladder"),
        ({"limit": "1usd/day", "ladder": [7]}, "ladder"),
        ({"limit": "1usd/day", "ladder": ["m" * 257]}, "ladder"),
        ({"limit": "1usd/day", "ladder": [f"m{n}" for n in range(11)]}, "ladder"),
        ({"limit": "1usd/day", "hold": "half"}, "hold"),
        ({"limit": "1usd/day", "default_output_tokens": 0}, "default_output_tokens"),
        ({"limit": "1usd/day", "default_output_tokens": True}, "default_output_tokens"),
    ],
)
def test_a_faulty_field_is_named(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        policy(**fields)

    assert field in {fault.field for fault in refused.value.fields}


def test_everything_else_can_be_said_too() -> None:
    made = policy(
        limit="1usd/week",
        shadow=True,
        per="user",
        per_missing="deny",
        unpriced="highest",
        thresholds=[Decimal("0.9"), Decimal("0.5")],
        tokens_counted=["output", "input"],
        rollover=True,
        rollover_cap={"cost": Decimal(2)},
        bypass_priority=9,
        min_grant=16,
        max_groups=10,
        assume_model="gpt-5",
        anchor={"weekday": 6, "hour": 3},
        starts_us=1,
        ends_us=2,
        enabled=False,
        metadata={"cost centre": 7},
    )

    assert made.per == ("user",)
    assert made.per_missing is PerMissing.DENY
    assert made.unpriced is Unpriced.HIGHEST
    assert made.thresholds_ppm == (500_000, 900_000)
    assert made.tokens_counted == ("input", "output")
    assert made.rollover_cap == Limits(None, 2 * 10**9, None)
    assert (made.bypass_priority, made.min_grant, made.max_groups) == (9, 16, 10)
    assert (made.schedule.anchor.weekday, made.schedule.anchor.hour) == (6, 3)
    assert (made.shadow, made.rollover, made.enabled) == (True, True, False)
    assert made.metadata == {"cost centre": 7}


def test_a_change_keeps_what_it_does_not_name() -> None:
    before = policy(limit="50usd/month", scope={"team": "a", "model": "gpt-*"}, name="a month")
    after = changed_policy(before, {"cost_limit": Decimal(60), "thresholds": None}, now_us=8)

    assert after.limits.cost_nano == 60 * 10**9
    assert (after.name, after.scope, after.schedule) == (before.name, before.scope, before.schedule)
    assert not needs_replacement(before, after)


@pytest.mark.parametrize(
    "fields",
    [
        {"period": "daily"},
        {"timezone": "UTC"},
        {"anchor": {"day": 15}},
        {"scope": {"team": "b"}},
        {"model": None},
        {"per": ["user"]},
        {"tokens_counted": ["output"]},
        {"period": "rolling", "length_seconds": 3600},
    ],
)
def test_what_gives_balances_another_meaning_replaces(fields: dict[str, Any]) -> None:
    before = policy(limit="50usd/month", scope={"team": "a"}, model="gpt-5")

    assert needs_replacement(before, changed_policy(before, fields, now_us=8))


def test_a_limit_can_be_taken_away_where_another_stays() -> None:
    before = policy(limit="50usd+1Mtokens/month")
    after = changed_policy(
        before, {"cost_limit": None, "per": None, "tokens_counted": None}, now_us=8
    )

    assert after.limits == Limits(1_000_000, None, None)
    with pytest.raises(InvalidInput, match="at least one"):
        changed_policy(after, {"token_limit": None}, now_us=9)


def test_requests_and_tokens_are_part_of_a_made_name() -> None:
    assert policy(limit="10requests/hour").name == "hourly requests"
    assert policy(limit="10tokens/hour").name == "hourly tokens"


@pytest.mark.parametrize(
    ("said", "ppm"),
    [
        ("10%", 100_000),
        (" 2.5 % ", 25_000),
        (Decimal("0.1"), 100_000),
        ("0.1", 100_000),
        (0, 0),
        ("0%", 0),
        (Decimal("0.9999999"), 999_999),
        (None, 0),
    ],
)
def test_the_part_kept_for_the_end_is_a_share(said: object, ppm: int) -> None:
    assert policy(limit="1usd/day", landing=said).landing_ppm == ppm


def test_what_calls_through_the_gateway_do_changes_in_place() -> None:
    before = policy(
        limit="1usd/day",
        landing="10%",
        ladder=["gpt-5", "gpt-5-mini"],
        hold="growing",
        default_output_tokens=4096,
    )
    kept = changed_policy(before, {"cost_limit": Decimal(2)}, now_us=8)
    emptied = changed_policy(
        before,
        {"landing": None, "ladder": None, "hold": "full", "default_output_tokens": None},
        now_us=8,
    )

    for one in (before, kept):
        assert (one.landing_ppm, one.ladder) == (100_000, ("gpt-5", "gpt-5-mini"))
        assert (one.hold, one.default_output_tokens) == (Holding.GROWING, 4096)
    assert (emptied.landing_ppm, emptied.ladder) == (0, ())
    assert (emptied.hold, emptied.default_output_tokens) == (Holding.FULL, None)
    assert not needs_replacement(before, emptied)


def test_a_limit_that_keeps_a_part_stays_hard() -> None:
    before = policy(limit="1usd/day", landing="10%")
    with pytest.raises(InvalidInput, match="landing"):
        changed_policy(before, {"enforcement": "warn"}, now_us=8)

    after = changed_policy(before, {"enforcement": "warn", "landing": 0}, now_us=8)
    assert (after.enforcement, after.landing_ppm) == (Enforcement.WARN, 0)
