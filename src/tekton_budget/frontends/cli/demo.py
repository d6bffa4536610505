"""`demo`: a limit of $1 and ten calls of $0.18, over a store that is thrown away."""

import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import typer

from tekton_budget.face.refusals import BudgetExceeded
from tekton_budget.frontends.cli.terminal.output import money
from tekton_budget.frontends.cli.terminal.session import PROGRAM, Session, session_of

_LIMIT = "1usd/day"
_CALLS = 10
_COST = Decimal("0.18")


def add_to(app: typer.Typer) -> None:
    """The command."""
    app.command("demo")(demo)


def demo(context: typer.Context) -> None:
    """See a limit hold: $1 a day, ten calls of $0.18. Needs no key, no network; leaves nothing."""
    session = session_of(context)
    with tempfile.TemporaryDirectory(prefix="tekton-budget-demo-") as folder:
        url = f"sqlite:///{Path(folder) / 'budget.db'}"
        calls, spent = _play(session, url)
    answer = {"limit": _LIMIT, "spent": spent, "calls": calls}
    session.output.one(answer, lambda: _epilogue(calls, spent))


def _play(session: Session, url: str) -> tuple[list[dict[str, Any]], Decimal]:
    from tekton_budget.library import open_in_process
    from tekton_budget.settings import load_settings

    say = session.output.say
    calls: list[dict[str, Any]] = []
    with open_in_process(load_settings(database_url=url)) as budget:
        policy = budget.set_limit(_LIMIT, scope={"team": "demo"})["policy"]
        say(f"A limit of $1.00 a day for team=demo, and {_CALLS} calls of {money(_COST)}:\n")
        for number in range(1, _CALLS + 1):
            try:
                with budget.allocate(labels={"team": "demo"}, cost=_COST) as hold:
                    settled = hold.settle(cost=_COST)
            except BudgetExceeded as denied:
                calls.append({"call": number, "decision": "deny", "detail": str(denied)})
                say(f"  call {number:2}  denied   {denied}")
            else:
                left = settled.policies[0].remaining
                assert left is not None, "one's own limit is not hidden"
                calls.append({"call": number, "decision": hold.decision, "left": left.cost})
                say(f"  call {number:2}  {hold.decision:7}  {money(left.cost)} left")
        spent = budget.groups(policy["policy_id"])["items"][0]["spent"]["cost"]
    return calls, Decimal(spent)


def _epilogue(calls: list[dict[str, Any]], spent: Decimal) -> None:
    denied = sum(call["decision"] == "deny" for call in calls)
    print(
        f"\n{len(calls) - denied} calls passed, {denied} were denied, {money(spent)} was spent: "
        "not a cent too much.\n\n"
        "The same by hand, over your own database:\n"
        f"  {PROGRAM} set team=demo {_LIMIT}\n"
        f"  {PROGRAM} allocations create team=demo --cost {_COST}      (five times)\n"
        f"  {PROGRAM} status team=demo\n"
        f"  {PROGRAM} credit team=demo 1usd\n"
        f"  {PROGRAM} set team=demo off\n"
    )
