"""Runs: one cap for a name, nested ones under both, refused once one around them has ended or fallen silent."""

from decimal import Decimal

import pytest

from tekton_budget.domain.answer import Denial, Grant
from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.errors import BudgetError, Conflict, Forbidden, InvalidInput, NotFound
from tekton_budget.domain.run import Cap, Landing
from tekton_budget.service.asking.asks import Ask, Used
from tekton_budget.service.paging import Slice
from tekton_budget.service.reporting.catalogue import PolicyQuery
from tekton_budget.service.runs import AskedRun, RunPass, RunsQuery
from tekton_budget.wiring import Running

from .conftest import Clock

USD = 1_000_000_000
TWO = Cap(cost_nano=2 * USD)


def spend(running: Running, passed: RunPass, cost: str) -> Grant | Denial:
    """A call of a run, as the gateway makes it: all of it is held, then used."""
    ledger = running.service.ledger
    answer = ledger.allocate(passed.caller, Ask(labels=passed.labels, cost=Decimal(cost))).result()
    if isinstance(answer, Grant):
        used = Used(cost=Decimal(cost), input_tokens=7, cache_read_tokens=3, model_used="m")
        ledger.settle(passed.caller, answer.allocation_id, used).result()
    return answer


def test_a_run_is_capped_by_its_own_policy_and_tells_what_it_used(running: Running) -> None:
    runs, views = running.service.runs, running.service.run_views
    opened = runs.open_run(LOCAL, AskedRun("nightly", cap=TWO, command=("claude", "-p", "a b")))
    passed = runs.admit(opened.token)
    assert isinstance(spend(running, passed, "1.5"), Grant)
    assert isinstance(spend(running, passed, "0.6"), Denial)
    runs.count(passed.run_id, calls=2, refused=1)
    runs.count(passed.run_id, clamped=1)

    assert (passed.name, passed.labels, passed.caller) == ("nightly", {"run": "nightly"}, LOCAL)
    assert not runs.beat(LOCAL, "nightly").at_cap
    assert isinstance(spend(running, passed, "0.5"), Grant)
    assert runs.beat(LOCAL, "nightly").at_cap
    ended = runs.end(LOCAL, "nightly", 3)
    assert (ended.exit_code, ended.calls, ended.refused, ended.clamped) == (3, 2, 1, 1)
    view = views.show(LOCAL, "nightly")
    assert view.cost_nano == 2 * USD
    assert [(one.model, one.sums.input_tokens) for one in view.models] == [("m", 14)]
    assert view.run.command == "claude -p 'a b'"
    assert not view.is_alive
    assert running.service.verifier.verify().is_good


def test_the_token_is_kept_as_a_hash_and_the_same_request_begins_once(running: Running) -> None:
    runs = running.service.runs
    asked = AskedRun("a", cap=TWO, token="t" * 43, reserve=True)
    first = runs.open_run(LOCAL, asked)
    again = runs.open_run(LOCAL, asked)

    assert again.run.run_id == first.run.run_id
    assert again.run.started_us == first.run.started_us
    assert (first.continued, again.continued) == (False, False)
    assert running.service.activity.now(LOCAL).in_flight == 1
    with running.reader.snapshot() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM runs").all()
    assert len(rows) == 1
    assert "t" * 43 not in repr(rows)


def test_the_same_name_continues_under_the_same_cap(quick: Running, clock: Clock) -> None:
    runs = quick.service.runs
    first = runs.open_run(LOCAL, AskedRun("a", cap=TWO))
    spend(quick, runs.admit(first.token), "2")
    runs.count(first.run.run_id, calls=3, refused=1)
    with pytest.raises(Conflict) as under_way:
        runs.open_run(LOCAL, AskedRun("a"))
    assert under_way.value.code == "run_under_way"
    runs.end(LOCAL, "a")
    with pytest.raises(Conflict) as differs:
        runs.open_run(LOCAL, AskedRun("a", cap=Cap(cost_nano=3 * USD)))
    assert differs.value.code == "run_cap_differs"
    assert "--name a --add 1" in differs.value.detail

    second = runs.open_run(LOCAL, AskedRun("a", cap=TWO))
    assert second.continued
    assert (second.run.calls, second.run.refused) == (3, 1), "counters go on"
    assert second.token != first.token
    with pytest.raises(NotFound) as old:
        runs.admit(first.token)
    assert old.value.code == "run_unknown"
    assert isinstance(spend(quick, runs.admit(second.token), "0.01"), Denial)
    clock.pass_seconds(4)  # it fell silent: that is no reason to refuse the next
    third = runs.open_run(LOCAL, AskedRun("a", add=Cap(cost_nano=USD), token="x" * 32))
    again = runs.open_run(LOCAL, AskedRun("a", add=Cap(cost_nano=USD), token="x" * 32))
    assert again.run == third.run
    passed = runs.admit(third.token)
    assert isinstance(spend(quick, passed, "1"), Grant)
    assert isinstance(spend(quick, passed, "0.01"), Denial)


def test_nested_runs_are_capped_by_their_own_sum_and_by_the_outer_one(running: Running) -> None:
    runs = running.service.runs
    outer = runs.open_run(LOCAL, AskedRun("o", cap=TWO, labels={"team": "a"}))
    passes = []
    for name in ("x", "y", "z"):
        asked = AskedRun(name, outer="o", cap=Cap(cost_nano=USD), labels={"team": "b", "n": "1"})
        passes.append(runs.admit(runs.open_run(LOCAL, asked).token))

    assert passes[0].labels == {"team": "a", "n": "1", "run": "o/x"}
    assert isinstance(spend(running, passes[0], "1.1"), Denial)
    granted = [isinstance(spend(running, one, "0.9"), Grant) for one in passes]
    assert granted == [True, True, False]
    assert isinstance(spend(running, runs.admit(outer.token), "0.2"), Grant)
    assert isinstance(spend(running, passes[2], "0.01"), Denial)
    runs.count(passes[0].run_id, calls=2, refused=1)
    runs.count(outer.run.run_id, calls=1)
    view = running.service.run_views.show(LOCAL, "o")
    assert (view.counted.calls, view.counted.refused) == (3, 1)
    assert view.cost_nano == view.total.cost_nano == 2 * USD
    assert [run.name for run in view.inside] == ["o/x", "o/y", "o/z"]
    listed = running.service.run_views.listed(LOCAL, RunsQuery(), Slice(limit=3))
    assert [one.run.name for one in listed.items][-1] in ("o/x", "o/y")
    assert len(listed.items) == 3
    rest = running.service.run_views.listed(LOCAL, RunsQuery(), Slice(limit=3, after=listed.next))
    assert [one.run.name for one in rest.items] == ["o"]


def test_what_is_inside_is_refused_once_the_outer_has_ended_or_is_silent(
    running: Running, clock: Clock
) -> None:
    runs = running.service.runs
    runs.open_run(LOCAL, AskedRun("o"))
    inner = runs.open_run(LOCAL, AskedRun("i", outer="o")).token
    clock.pass_seconds(3)
    runs.beat(LOCAL, "o/i")
    assert runs.admit(inner).name == "o/i"
    clock.pass_seconds(1)  # the outer was last heard of 4 s ago
    with pytest.raises(BudgetError) as silent:
        runs.admit(inner)
    assert (silent.value.code, silent.value.extra["run"]) == ("run_silent", "o")
    with pytest.raises(BudgetError, match="no sign of life"):
        runs.beat(LOCAL, "o/i")
    runs.beat(LOCAL, "o")  # the machine had been asleep
    assert runs.admit(inner).name == "o/i"

    alive = running.service.run_views.listed(LOCAL, RunsQuery(is_alive=True))
    assert {one.run.name for one in alive.items} == {"o", "o/i"}
    runs.end(LOCAL, "o", 0)
    with pytest.raises(Forbidden) as ended:
        runs.admit(inner)
    assert (ended.value.code, ended.value.extra["run"]) == ("run_ended", "o")
    with pytest.raises(Forbidden, match="has ended"):
        runs.open_run(LOCAL, AskedRun("j", outer="o"))
    runs.end(LOCAL, "o", 1)
    assert running.service.run_views.show(LOCAL, "o").run.exit_code == 0
    alive = running.service.run_views.listed(LOCAL, RunsQuery(is_alive=True))
    assert [one.run.name for one in alive.items] == ["o/i"]


def test_what_was_looked_up_is_known_for_a_moment_without_the_store(
    quick: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = quick.service.runs
    token = runs.open_run(LOCAL, AskedRun("a")).token
    assert runs.known(token) is None
    monkeypatch.setattr("tekton_budget.service.runs.passing.FRESH_SECONDS", 60)
    monkeypatch.setattr("tekton_budget.service.runs.passing.KNOWN_MAX", 1)
    passed = runs.admit(token)

    assert runs.known(token) is passed
    assert runs.admit(token) is passed
    other = runs.open_run(LOCAL, AskedRun("b")).token  # a run that begins here is seen at once
    assert runs.known(token) is None
    runs.admit(token)
    runs.admit(other)
    assert runs.known(token) is None, "memory is bounded"
    with pytest.raises(NotFound):
        runs.admit("nobody's")


def test_counters_survive_a_store_that_is_away(
    quick: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = quick.service.runs
    run_id = runs.open_run(LOCAL, AskedRun("a")).run.run_id
    assert runs.flush() == 0
    runs.count(run_id, calls=1)
    with monkeypatch.context() as away:
        away.setattr("tekton_budget.storage.rows.runs.beside", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            runs.flush()
    runs.count(run_id, calls=1, refused=1)

    assert runs.flush() == 1
    run = quick.service.run_views.run_named(LOCAL, "a")
    assert (run.calls, run.refused) == (2, 1)


def test_keys_begin_runs_of_their_own_under_their_labels(quick: Running) -> None:
    keys, runs, views = quick.service.keys, quick.service.runs, quick.service.run_views

    def caller(name: str, role: str = "client", **more: object) -> Caller:
        return keys.authenticate(keys.create_key(LOCAL, name, role=role, **more).secret)

    a = caller("a", labels={"team": "a"})
    b = caller("b", labels={"team": "b"})
    twin = caller("twin", labels={"team": "a"})
    operator = caller("op", "operator")
    opened = runs.open_run(a, AskedRun("r", cap=TWO, labels={"team": "z", "run": "z"}))
    assert opened.run.all_labels == {"team": "a", "run": "r"}
    assert runs.admit(opened.token).caller == a
    assert [one.run.name for one in views.listed(a, RunsQuery()).items] == ["r"]
    assert views.listed(b, RunsQuery()).items == ()
    policies = quick.service.catalogue.policies(a, PolicyQuery(name="run r"))
    assert policies.items == ()

    for other, refusal in ((b, NotFound), (twin, Forbidden)):
        with pytest.raises(refusal):
            runs.end(other, "r")
    with pytest.raises(Forbidden) as taken:
        runs.open_run(b, AskedRun("r"))
    assert taken.value.code == "not_own_run"
    with pytest.raises(Forbidden):
        runs.open_run(caller("v", "viewer"), AskedRun("v"))
    with pytest.raises(Forbidden):
        runs.open_run(caller("r", labels={"run": "x"}), AskedRun("v"))
    with pytest.raises(InvalidInput, match="user"):
        runs.open_run(caller("u", requires=("user",)), AskedRun("v"))
    assert runs.beat(operator, "r").run.name == "r"
    other = runs.open_run(operator, AskedRun("o", labels={"team": "a"}))
    with pytest.raises(NotFound):
        runs.open_run(b, AskedRun("i", outer=other.run.run_id))
    with pytest.raises(Forbidden, match="another team"):
        runs.open_run(replaced(b, operator), AskedRun("i", outer="o"))

    rotated = keys.rotate_key(LOCAL, "a", overlap_us=0)
    assert runs.admit(opened.token).caller.key_id == rotated.key.key_id
    keys.revoke_key(LOCAL, "a")
    with pytest.raises(BudgetError) as gone:
        runs.admit(opened.token)
    assert gone.value.code == "key_invalid"


def replaced(caller: Caller, operator: Caller) -> Caller:
    """A key that sees everything of team a, and would force team b on what is inside."""

    class Seeing(Caller):
        def sees(self, labels: object) -> bool:
            return True

    return Seeing(operator.key_id, operator.name, Role.OPERATOR, caller.labels)


def test_caps_of_runs_are_listed_by_runs_only(quick: Running) -> None:
    service = quick.service
    service.policies.create_policy(LOCAL, {"limit": "5usd/day"})
    opened = service.runs.open_run(LOCAL, AskedRun("a", cap=Cap(USD, 1000)))
    assert service.runs.admit(opened.token).name == "a"

    def names(budget: str | None = None) -> list[str]:
        page = service.catalogue.policies(LOCAL, PolicyQuery(budget=budget))
        return [view.policy.name for view in page.items]

    assert names() == ["daily"]
    assert names("runs") == ["run a"]
    assert [budget.name for budget in service.catalogue.budgets(LOCAL).items] == ["default"]
    assert service.catalogue.budget(LOCAL, "runs").budget_id == "runs"
    assert [one.policy_id for one in service.overview.summaries(LOCAL, ["total"])] == [None]
    assert [one.fullest.name for one in service.overview.counts().policies] == ["daily"]
    concerned = service.standings.status(LOCAL, {"run": "a"})
    assert {view.name for view in concerned.policies} == {"daily", "run a"}


def test_a_budget_that_people_named_runs_stays_theirs(quick: Running) -> None:
    service = quick.service
    own, _ = service.policies.create_budget(LOCAL, name="runs")
    service.runs.open_run(LOCAL, AskedRun("a", cap=TWO))
    service.runs.open_run(LOCAL, AskedRun("b", cap=TWO))

    assert [budget.budget_id for budget in service.catalogue.budgets(LOCAL).items] == [
        own.budget_id
    ]


def test_a_run_without_a_cap_gets_one_when_it_is_continued(quick: Running) -> None:
    runs = quick.service.runs
    spend(quick, runs.admit(runs.open_run(LOCAL, AskedRun("a")).token), "1.5")
    assert quick.service.run_views.show(LOCAL, "a").cost_nano == 1_500_000_000
    runs.end(LOCAL, "a")
    with pytest.raises(InvalidInput, match="no cap"):
        runs.open_run(LOCAL, AskedRun("a", add=TWO))
    passed = runs.admit(runs.open_run(LOCAL, AskedRun("a", cap=TWO)).token)

    assert isinstance(spend(quick, passed, "0.6"), Denial), "what it used before counts"
    assert isinstance(spend(quick, passed, "0.5"), Grant)


def test_a_made_name_tells_the_command(quick: Running) -> None:
    runs = quick.service.runs
    named = runs.open_run(LOCAL, AskedRun(command=("/usr/bin/my tool!", "x"))).run.name
    assert named.startswith("my-tool-")
    assert runs.open_run(LOCAL, AskedRun()).run.name.startswith("run-")
    assert runs.open_run(LOCAL, AskedRun()).run.name != named


@pytest.mark.parametrize(
    "asked",
    [
        AskedRun("*"),
        AskedRun("a b"),
        AskedRun("a//b"),
        AskedRun("!a"),
        AskedRun("x" * 65),
        AskedRun("/".join(["x" * 60] * 4)),
        AskedRun("/".join("abcdefghi")),
        AskedRun("a", token="short"),
        AskedRun("a", lease_seconds=0),
        AskedRun("a", landing=Landing(1, "x" * 2001)),
        AskedRun("a", landing=Landing(1, "")),
        AskedRun("a", labels={"no name": "x"}),
    ],
)
def test_what_cannot_be_is_refused_and_begins_nothing(quick: Running, asked: AskedRun) -> None:
    with pytest.raises(InvalidInput):
        quick.service.runs.open_run(LOCAL, asked)

    assert quick.service.run_views.listed(LOCAL, RunsQuery()).items == ()


def test_the_note_of_landing_is_none_where_nothing_is_kept_for_it(quick: Running) -> None:
    runs = quick.service.runs
    said = {
        name: runs.admit(runs.open_run(LOCAL, AskedRun(name, landing=landing)).token).land_note
        for name, landing in {
            "a": Landing(100_000, "finish"),
            "b": Landing(100_000, None),
            "c": Landing(0, "finish"),
        }.items()
    }

    assert said == {"a": "finish", "b": None, "c": None}


def test_what_is_held_ahead_is_there_for_the_run_and_for_nobody_else(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tekton_budget.service.runs.reserves.KEPT_EVERY_SECONDS", 0.0)
    service, runs = running.service, running.service.runs
    service.policies.create_policy(LOCAL, {"limit": "3usd/day", "scope": {"team": "a"}})

    def call(passed: RunPass | None, cost: str) -> bool:
        labels = {"team": "a"} if passed is None else passed.labels
        parent_id = None if passed is None else passed.parent_id
        ask = Ask(labels=labels, cost=Decimal(cost), parent_id=parent_id)
        answer = service.ledger.allocate(LOCAL, ask).result()
        if isinstance(answer, Grant):
            used = Used(cost=Decimal(cost))
            service.ledger.settle(LOCAL, answer.allocation_id, used).result()
        return isinstance(answer, Grant)

    asked = AskedRun("o", cap=TWO, labels={"team": "a"}, reserve=True)
    outer = runs.admit(runs.open_run(LOCAL, asked).token)
    with pytest.raises(Conflict) as denied:
        runs.open_run(LOCAL, AskedRun("p", cap=TWO, labels={"team": "a"}, reserve=True))
    assert denied.value.code == "reserve_denied"
    inner = runs.open_run(LOCAL, AskedRun("i", outer="o", cap=Cap(cost_nano=USD), reserve=True))
    inside = runs.admit(inner.token)
    plain = runs.admit(runs.open_run(LOCAL, AskedRun("j", outer="o")).token)

    assert not call(None, "1.1"), "2 of 3 are the run's"
    assert call(None, "1")
    assert inside.parent_id == inner.run.reserve_id
    assert plain.parent_id == outer.parent_id
    assert call(inside, "0.5")
    assert call(plain, "0.75")
    assert not call(plain, "0.75"), "the rest is what the other inside holds ahead"
    runs.beat(LOCAL, "o")
    runs.end(LOCAL, "o/i")
    assert call(outer, "0.75"), "what it left has come back"
    runs.end(LOCAL, "o")
    assert service.run_views.show(LOCAL, "o").cost_nano == 2 * USD
    assert running.service.verifier.verify().is_good
    held = service.activity.now(LOCAL).in_flight
    assert held == 0
    with pytest.raises(InvalidInput, match="no cap to hold ahead"):
        runs.open_run(LOCAL, AskedRun("q", reserve=True))


def test_whoever_comes_second_to_a_name_at_the_same_moment_holds_nothing(
    quick: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = quick.service.runs
    runs.open_run(LOCAL, AskedRun("a", cap=TWO))
    monkeypatch.setattr(type(runs), "_is_again", lambda *_: False)  # it had not begun yet
    with pytest.raises(Conflict) as second:
        runs.open_run(LOCAL, AskedRun("a", reserve=True))

    assert second.value.code == "run_under_way"
    assert quick.service.activity.now(LOCAL).in_flight == 0


def test_tokens_alone_are_capped_and_kept_for_the_end(quick: Running) -> None:
    asked = AskedRun("t", cap=Cap(tokens=1000), landing=Landing(100_000), reserve=True)
    runs = quick.service.runs
    runs.open_run(LOCAL, asked)
    runs.beat(LOCAL, "t")
    runs.beat(LOCAL, "t")  # what is held ahead is kept once a minute

    cap = quick.service.run_views.show(LOCAL, "t").cap
    assert cap is not None
    assert (cap.allowance.tokens, cap.landing.tokens) == (1000, 100)


def test_a_client_touches_its_own_runs_by_its_own_key(quick: Running) -> None:
    keys, runs = quick.service.keys, quick.service.runs
    client = keys.authenticate(keys.create_key(LOCAL, "c").secret)
    runs.open_run(client, AskedRun("mine", cap=TWO))

    assert runs.beat(client, "mine").run.key_name == "c"
    assert runs.end(client, "mine").ended_us is not None
