"""Budgets in the ways that the original's documents name and it never served."""

import pytest
from tests.frontends.original.conftest import Client

from tekton_budget.domain.caller import Role


def test_set_limit_of_the_command_line(original: Client) -> None:
    """It finds or makes "Default Budget", makes a policy, and attaches it."""
    assert original.get("/budgets", name="Default Budget")["items"] == []
    budget = original.post("/budgets", {"name": "Default Budget", "owner": "cli_user"}, 201)
    policy = original.post(
        "/policies", {"type": "warn", "period": "daily", "cost_limit": 5.0, "enabled": True}, 201
    )

    path = f"/budgets/{budget['budget_id']}/policies"
    attached = original.put(path, {"policies": [policy["policy_id"]]})

    assert attached["policies"] == [policy["policy_id"]]
    assert [one["policy_id"] for one in original.get(path)["items"]] == [policy["policy_id"]]
    assert original.put(path, {"policyIds": [policy["policy_id"]]}) == attached
    assert original.put(path, {"policyId": policy["name"]}) == attached


def test_attaching_refuses_what_is_not_there_in_words(original: Client) -> None:
    policy = original.post("/policies", {"period": "daily", "cost_limit": 5}, 201)["policy_id"]

    nobody = original.put("/budgets/nobody/policies", {"policies": [policy]}, 404)
    nothing = original.put("/budgets/default/policies", {}, 422)
    unknown = original.put("/budgets/default/policies", {"policies": ["none"]}, 404)
    odd = original.put("/budgets/default/policies", {"policies": policy}, 422)

    assert nobody["code"] == "budget_not_found"
    assert nothing["fields"][0]["field"] == "policies"
    assert unknown["code"] == "policy_not_found"
    assert odd["fields"]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.CLIENT])
def test_a_key_that_only_looks_or_calls_changes_nothing(original: Client, role: Role) -> None:
    policy = original.post("/policies", {"period": "daily", "cost_limit": 5}, 201)["policy_id"]
    original.post("/budgets", {"name": "lab"}, 201)
    key = original.server.key("reader", role)

    for method, path, body in (
        ("PUT", "/budgets/lab/policies", {"policies": [policy]}),
        ("POST", "/budgets", {"name": "x", "template": "tekton"}),
        ("PUT", f"/policies/{policy}", {"costLimit": 7}),
        ("POST", "/prices/update", None),
    ):
        answer = key.request(method, original.prefix + path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "role_needed"), path


def test_a_budget_by_tekton_s_template(original: Client) -> None:
    made = original.post("/budgets", {"name": "t", "template": "tekton"}, 201)

    page = original.get(f"/budgets/{made['budget_id']}/policies", limit=50)

    assert (page["total"], len(made["policies"])) == (19, 19)
    assert {one["type"] for one in page["items"]} == {"warn"}
    assert {one["tier"] for one in page["items"] if one["token_limit"]} == {
        "local_lightweight",
        "local_midweight",
        "remote_heavyweight",
    }
    refused = original.post("/budgets", {"name": "u", "template": "zeus"}, 422)
    assert refused["fields"][0]["field"] == "template"
