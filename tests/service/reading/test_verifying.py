"""Verification: one digit changed anywhere is found in the right row, beside running writers."""

import random
from decimal import Decimal

import pytest

from tekton_budget.domain.amounts import Amounts
from tekton_budget.domain.caller import LOCAL
from tekton_budget.service.verifying import Verifier

from .conftest import World


def busy(world: World) -> None:
    """A store with something in every column that is verified."""
    world.price()
    world.policy("10usd/day", name="daily", rollover=True)
    world.policy("100usd/month", name="by user", per=["user"], scope={"team": "a"})
    world.policy("20usd/24h", name="rolling", per=["team"])
    world.running.service.ledger.give_credit(
        LOCAL, "by user", Amounts(cost_nano=3_000_000_123), group="alice", reason="launch 42"
    ).result()
    world.running.service.policies.set_exceptions(
        LOCAL, "by user", {"bob": {"cost_limit": Decimal("7.5")}}
    )
    for team, user in (("a", "alice"), ("a", "bob"), ("b", "carol")):
        world.spend("1.25", team=team, user=user, provider="openai", model="gpt-5")
        world.pass_seconds(1801)
    world.record("0.75", team="a", user="alice", session="s1")
    world.record(None, team="b", user="dan")
    world.pass_seconds(86_400)
    world.spend("2.5", team="a", user="alice", model="gpt-5", provider="openai")
    world.hold("1.5", team="a", user="alice")
    world.hold("0.5", team="b", user="dan")


def test_a_sound_store_has_no_findings(world: World) -> None:
    busy(world)
    told: list[tuple[str, int, int]] = []

    found = Verifier(world.reader).verify(lambda *at: told.append(at))

    assert [finding.text() for finding in found.findings] == []
    assert found.is_good
    assert found.entries == len(world.all("journal"))
    assert found.balances == len(world.all("balances"))
    assert found.usage == len(world.all("usage"))
    assert found.allocations == 2
    assert {stage for stage, _, _ in told} == {
        "journal",
        "balances",
        "allocations",
        "usage",
        "rollups",
    }


KEYS = {
    "journal": ("no",),
    "balances": ("id",),
    "rollups": ("kind", "label", "bucket_us", "value", "provider", "model", "slot"),
}
# Numbers that nothing tells: the journal's on PostgreSQL, where those of lost batches are missing,
# and which writer added to a rollup, where there may be several.
UNTOLD = {("journal", "no"), ("rollups", "slot")}


def changed(value: object, dice: random.Random) -> object:
    """The value with one digit changed, or `None` where it has none."""
    text = "" if value is None else str(value)
    places = [place for place, character in enumerate(text) if character in "0123456789"]
    if not places:
        return None
    place = dice.choice(places)
    digit = dice.choice([d for d in "0123456789" if d != text[place]])
    other = text[:place] + digit + text[place + 1 :]
    return int(other) if isinstance(value, int) else other


def shown_id(table: str, row: dict[str, object]) -> str:
    if table != "rollups":
        return str(row[KEYS[table][0]])
    return f"{row['provider']}/{row['model']}"


@pytest.mark.parametrize("table", list(KEYS))
def test_one_changed_digit_is_found_in_its_row(world: World, table: str) -> None:
    busy(world)
    dice = random.Random(7)
    rows = world.all(table)
    key = KEYS[table]
    tried = 0
    for column in rows[0]:
        if (table, column) in UNTOLD and world.reader.is_postgresql:
            continue
        candidates = [row for row in rows if changed(row[column], dice) is not None]
        for row in dice.sample(candidates, min(2, len(candidates))):
            other = changed(row[column], dice)
            while column in key and other in {one[column] for one in rows}:  # it is there already
                other = changed(row[column], dice)
            after = {**row, column: other}
            where = " AND ".join(f"{name} = :{name}" for name in key)
            world.change(
                f"UPDATE {table} SET {column} = :other WHERE {where}",
                other=other,
                **{name: row[name] for name in key},
            )

            found = Verifier(world.reader).verify()

            story = (column, row[column], other, [f.text() for f in found.findings])
            assert found.findings, story
            assert {finding.table for finding in found.findings} == {table}, story
            if column not in key:
                assert len(found.findings) == 1, story
                finding = found.findings[0]
                assert shown_id(table, row) in finding.id, story
                if table == "journal" and column == "postings":
                    assert finding.found != finding.expected, story
                else:
                    assert column == finding.column, story
                    assert (finding.found, finding.expected) == (other, row[column]), story
            else:
                named = shown_id(table, after) if table == "rollups" else column
                assert any(named in finding.text() for finding in found.findings), story

            world.change(
                f"UPDATE {table} SET {column} = :before WHERE {where}",
                before=row[column],
                **{name: after[name] for name in key},
            )
            tried += 1
    assert tried > 10
    assert Verifier(world.reader).verify().is_good
