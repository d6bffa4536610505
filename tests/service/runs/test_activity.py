"""Activity: what is under way, by one label, with the fullest limits; a key sees its own."""

from decimal import Decimal

from tekton_budget.domain.answer import Grant
from tekton_budget.domain.caller import LOCAL, Caller
from tekton_budget.domain.run import Cap
from tekton_budget.service.asking.asks import Ask, Used
from tekton_budget.service.runs import AskedRun
from tekton_budget.wiring import Running

from .conftest import Clock

USD = 1_000_000_000


def ask(running: Running, caller: Caller, cost: str, **labels: str) -> str:
    answer = running.service.ledger.allocate(
        caller, Ask(labels=labels, cost=Decimal(cost))
    ).result()
    assert isinstance(answer, Grant)
    return answer.allocation_id


def test_what_is_under_way_is_told_by_a_label(running: Running, clock: Clock) -> None:
    service = running.service
    service.policies.create_policy(LOCAL, {"limit": "5usd/day"})
    service.runs.open_run(LOCAL, AskedRun("a", cap=Cap(cost_nano=2 * USD)))
    old = ask(running, LOCAL, "0.5", run="a", user="u")
    service.ledger.settle(LOCAL, old, Used(cost=Decimal("0.5"))).result()
    clock.pass_seconds(61)
    new = ask(running, LOCAL, "0.25", run="a")
    service.ledger.settle(LOCAL, new, Used(cost=Decimal("0.25"), input_tokens=9)).result()
    for labels in ({"run": "a"}, {"run": "a"}, {"run": "b"}, {}):
        ask(running, LOCAL, "0.1", **labels)

    service.runs.beat(LOCAL, "a")
    found = service.activity.now(LOCAL)
    assert (found.in_flight, found.held.cost_nano) == (4, USD * 4 // 10)
    assert (found.recent.cost_nano, found.recent.input_tokens) == (USD // 4, 9)
    shown = [
        (row.value, row.in_flight, row.recent.requests, row.total.cost_nano) for row in found.rows
    ]
    assert shown == [("a", 2, 1, USD * 3 // 4), (None, 1, 0, 0), ("b", 1, 0, 0)]
    assert [view.name for view in found.policies] == ["run a", "daily"]
    assert [row.value for row in service.activity.now(LOCAL, "user").rows] == [None]
    service.runs.end(LOCAL, "a")
    assert [view.name for view in service.activity.now(LOCAL).policies] == ["daily"]


def test_a_key_sees_what_is_its_own(quick: Running) -> None:
    keys = quick.service.keys
    key = keys.authenticate(keys.create_key(LOCAL, "k", labels={"team": "a"}).secret)
    quick.service.policies.create_policy(LOCAL, {"limit": "5usd/day"})
    quick.service.policies.create_policy(LOCAL, {"limit": "5usd/day", "scope": {"team": "a"}})
    ask(quick, key, "0.1")
    ask(quick, LOCAL, "0.1", team="b")

    found = quick.service.activity.now(key, "team")
    assert [(row.value, row.in_flight) for row in found.rows] == [("a", 1)]
    assert [view.name for view in found.policies] == ["team=a daily"]
