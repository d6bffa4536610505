"""Who was refused: counted by any label, with samples, and never another team's."""

import pytest

from tekton_budget.domain.answer import Denial
from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.errors import InvalidInput, NotFound
from tekton_budget.service.paging import Slice
from tekton_budget.service.reporting.decisions import DecisionReports, Decisions
from tekton_budget.storage.rows import decisions as storage_decisions

from .conftest import DAY_US, NOON_US, TEAM_A, TEAM_B, World


def denied(world: World, times: int, **labels: str) -> None:
    for _ in range(times):
        assert isinstance(world.spend("5", **labels), Denial)


def counts(found: Decisions) -> dict[tuple[str | None, ...], int]:
    return {tuple(row.values.values()): row.count for row in found.rows}


def storm(world: World) -> None:
    """Denials of three users of two teams over some hours."""
    world.policy("1usd/day", name="each", per=["user"])
    world.policy("1usd/day", name="team a", scope={"team": "a"})
    denied(world, 3, team="a", user="alice")
    world.pass_seconds(3 * 3600)
    denied(world, 2, team="a", user="bob")
    world.pass_seconds(4 * 3600)
    denied(world, 12, team="b", user="carol")


@pytest.mark.parametrize("slice_us", [60_000_000, storage_decisions.SLICE_US])
def test_denials_are_counted_by_policy_group_and_label(
    world: World, monkeypatch: pytest.MonkeyPatch, slice_us: int
) -> None:
    monkeypatch.setattr(storage_decisions, "SLICE_US", slice_us)
    storm(world)
    reports = DecisionReports(world.reader)

    assert counts(reports.decisions(LOCAL)) == {
        ("each", "carol"): 12,
        ("each", "alice"): 3,
        ("each", "bob"): 2,
        ("team a", None): 5,
    }
    assert counts(reports.decisions(LOCAL, by=("user",))) == {
        ("carol",): 12,
        ("alice",): 3,
        ("bob",): 2,
        (None,): 5,
    }
    assert counts(reports.decisions(LOCAL, by=("decision", "team"))) == {
        ("deny", None): 17,
        ("deny", "a"): 5,
    }
    found = reports.decisions(LOCAL, policy="team a")
    assert counts(found) == {("team a", None): 5}
    assert (found.total, len(found.samples)) == (5, 5)
    late = reports.decisions(LOCAL, from_us=NOON_US + DAY_US // 4, to_us=world.now_us + 1)
    assert counts(late) == {("each", "carol"): 12}
    assert reports.decisions(LOCAL, to_us=NOON_US).rows == ()
    assert reports.decisions(LOCAL, decision=("would_deny", "clamp")).rows == ()


def test_the_most_frequent_come_first_and_the_rest_is_counted(world: World) -> None:
    storm(world)

    found = DecisionReports(world.reader).decisions(LOCAL, part=Slice(limit=1))

    assert counts(found) == {("each", "carol"): 12}
    assert found.total == 22


def test_samples_are_walked_newest_first(world: World) -> None:
    storm(world)
    reports = DecisionReports(world.reader)

    found, after = [], None
    while True:
        page = reports.decisions(LOCAL, part=Slice(limit=4, after=after))
        found += page.samples
        after = page.next
        if after is None:
            break

    assert len(found) == 3 + 3 + 2 + 2 + 10  # of carol's twelve the first ten
    assert [one.at_us for one in found] == sorted((s.at_us for s in found), reverse=True)
    assert {one.content["labels"]["user"] for one in found} == {"alice", "bob", "carol"}
    assert "Over budget" in found[0].content["detail"]


def test_a_key_sees_what_was_decided_on_its_own(world: World) -> None:
    storm(world)
    reports = DecisionReports(world.reader)

    of_a, of_b = reports.decisions(TEAM_A), reports.decisions(TEAM_B, part=Slice(limit=3))

    assert counts(of_a) == {("team a", None): 5}
    assert {one.content["labels"]["team"] for one in of_a.samples} == {"a"}
    assert (counts(of_b), of_b.total) == ({}, 0)
    assert [one.content["labels"]["user"] for one in of_b.samples] == ["carol"] * 3
    assert of_b.next is not None
    with pytest.raises(NotFound):
        reports.decisions(TEAM_B, policy="team a")


def test_groups_of_a_former_version_keep_their_meaning(world: World) -> None:
    world.policy("1usd/day", name="each", per=["user"])
    denied(world, 2, team="a", user="alice")
    verbs = world.running.service.policies
    verbs.change_policy(LOCAL, "each", {"per": ["team", "user"]})
    denied(world, 1, team="a", user="alice")

    found = DecisionReports(world.reader).decisions(LOCAL, by=("policy", "user", "team"))

    assert counts(found) == {("each", "alice", None): 2, ("each", "alice", "a"): 1}


def test_calls_without_a_policy_are_counted_as_such(world: World) -> None:
    world.spend("1", team="a")
    reports = DecisionReports(world.reader)

    found = reports.decisions(LOCAL, by=("decision", "policy", "team"))

    assert counts(found) == {("unbudgeted", None, None): 1}
    assert reports.decisions(TEAM_A).rows == ()
    assert len(reports.decisions(TEAM_A).samples) == 1


def test_an_unknown_decision_is_refused(quick: World) -> None:
    with pytest.raises(InvalidInput) as refusal:
        DecisionReports(quick.reader).decisions(LOCAL, decision=("maybe",))

    assert [fault.field for fault in refusal.value.fields] == ["decision"]
