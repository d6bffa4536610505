"""Verification: one digit changed anywhere is found in the right row, and what is sound is left."""

import random
from decimal import Decimal

import pytest

from tekton_budget.domain.amounts import Amounts
from tekton_budget.domain.caller import LOCAL
from tekton_budget.service.verifying import (
    Finding,
    Verifier,
    balance_check,
    mending,
    rollup_check,
)
from tekton_budget.service.verifying.findings import Findings
from tekton_budget.service.verifying.mending import mended
from tekton_budget.storage import scratch
from tekton_budget.storage.packing import digest_of
from tekton_budget.storage.rows import kept

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
        LOCAL, "by user", {"bob7": {"cost_limit": Decimal("7.5")}}
    )
    for team, user in (("a", "alice"), ("a", "bob7"), ("b", "carol9")):
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


def findings(world: World) -> list[tuple[str, str, str]]:
    found = Verifier(world.reader).verify()
    assert found.count == len(found.findings)
    return [(one.table, one.id, one.column) for one in found.findings]


def test_memory_is_bounded_and_the_findings_are_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy(world)
    monkeypatch.setattr(scratch, "CACHED_MAX", 2)
    monkeypatch.setattr(scratch, "PAGE", 2)
    monkeypatch.setattr(kept, "PAGE_ROWS", 3)
    monkeypatch.setattr(balance_check, "TOGETHER_MAX", 2)
    assert findings(world) == []

    world.change("UPDATE balances SET spent_requests = 77 WHERE grp = 'bob7'")
    world.change("DELETE FROM rollups WHERE kind = 'hour' AND value = 'dan'")

    assert {(table, column) for table, _, column in findings(world)} == {
        ("balances", "spent_requests"),
        ("rollups", "records"),
        ("rollups", "requests"),
        ("rollups", "input_tokens"),
        ("rollups", "output_tokens"),
        ("rollups", "unpriced"),
    }


def test_rows_that_are_missing_are_named(quick: World) -> None:
    busy(quick)
    gone = next(row for row in quick.all("balances") if row["grp"] == "bob7")
    quick.change("DELETE FROM balances WHERE id = :id", id=gone["id"])
    quick.change("DELETE FROM journal WHERE no = 1")

    found = findings(quick)

    assert ("balances", gone["id"], "id") in found
    assert ("journal", "2", "no") in found


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("postings", "[]]"),
        ("postings", '[["gibberish","",1,2,3,4,5,6]]'),
        ("postings", "[1,2]"),
        ("kind", "alocate"),
        ("detail", "x"),
    ],
)
def test_an_entry_that_cannot_be_mended_is_blamed_and_not_its_balances(
    quick: World, column: str, value: str
) -> None:
    busy(quick)
    (no,) = (row["no"] for row in quick.all("journal") if row["kind"] == "credit")
    some = [row["no"] for row in quick.all("journal") if row["kind"] == "settle"]
    for number in (no, some[0]):
        quick.change(f"UPDATE journal SET {column} = :value WHERE no = :no", value=value, no=number)

    found = Verifier(quick.reader).verify()

    assert [(one.table, one.id, one.column) for one in found.findings] == [
        ("journal", str(number), "digest") for number in sorted((no, some[0]))
    ]
    assert "not what was sealed" in found.findings[0].text()


def test_a_digit_that_makes_an_entry_unreadable_is_mended(quick: World) -> None:
    busy(quick)
    row = next(row for row in quick.all("journal") if ",1250000000," in str(row["postings"]))
    text = str(row["postings"]).replace(",1250000000,", ",0250000000,", 1)
    quick.change("UPDATE journal SET postings = :text WHERE no = :no", text=text, no=row["no"])

    (finding,) = Verifier(quick.reader).verify().findings

    assert (finding.table, finding.id, finding.column) == ("journal", str(row["no"]), "postings")
    assert (finding.found, finding.expected) == (text, row["postings"])
    assert finding.difference is None


def test_what_was_never_touched_has_to_be_empty(quick: World) -> None:
    made = quick.policy("10usd/day")
    insert = "INSERT INTO balances (id, policy_no, grp, opens_us, {}) VALUES (:id, :no, :g, 5, {})"
    for number, (column, value) in enumerate((("told", 1), ("updated_us", 7), ("opened", 1))):
        id_ = f"{made.no}:5:g{number}"
        quick.change(insert.format(column, value), id=id_, no=made.no, g=f"g{number}")
    quick.change(insert.format("told", 0), id=f"{made.no}:5:", no=made.no, g="")

    found = findings(quick)

    assert found == [
        ("balances", f"{made.no}:5:g0", "told"),
        ("balances", f"{made.no}:5:g1", "updated_us"),
        ("balances", f"{made.no}:5:g2", "opened"),
    ]


def sealed(world: World, id_: str, **columns: object) -> None:
    """Write columns of a balance together with the seal that fits them."""
    row = next(row for row in world.all("balances") if row["id"] == id_)
    seal = kept.BalanceRow({**row, **columns}).seal_for(id_)
    assignments = ", ".join(f"{name} = :{name}" for name in columns)
    world.change(
        f"UPDATE balances SET {assignments}, seal = :seal WHERE id = :id",
        **columns,
        seal=seal,
        id=id_,
    )


def test_a_seal_does_not_hide_what_the_journal_denies(quick: World) -> None:
    busy(quick)
    rows = quick.all("balances")
    rolling = next(str(row["id"]) for row in rows if row["length_us"] and row["grp"] == "b")
    credited = next(str(row["id"]) for row in rows if row["credits"])
    sealed(quick, rolling, sub_windows="[]")
    sealed(quick, credited, credits=None)

    assert set(findings(quick)) == {
        ("balances", rolling, "sub_windows"),
        ("balances", credited, "credits"),
    }


def test_a_seal_that_cannot_be_mended_is_told(quick: World) -> None:
    busy(quick)
    row = next(row for row in quick.all("balances") if row["grp"] == "bob7")
    quick.change("UPDATE balances SET carry_tokens = 77, told = 55 WHERE id = :id", id=row["id"])

    assert findings(quick) == [("balances", row["id"], "seal")]


def test_a_policy_that_is_not_there_is_no_excuse(quick: World) -> None:
    quick.policy("10usd/day")
    quick.spend("1")
    (row,) = quick.all("balances")
    quick.change("UPDATE balances SET updated_us = 5 WHERE id = :id", id=row["id"])
    quick.change("DELETE FROM policies WHERE no = :no", no=row["policy_no"])
    quick.change("UPDATE meta SET policy_generation = policy_generation + 1")

    assert findings(quick) == [("balances", row["id"], "updated_us")]


def test_holds_that_do_not_add_up_are_blamed_on_the_allocation(world: World) -> None:
    world.policy("10usd/day")
    world.policy("10usd/month", scope={"team": "a"})
    first, second = world.hold("1", team="a"), world.hold("2", team="b")
    rows = {row["id"]: str(row["holds"]) for row in world.all("allocations")}

    def change(id_: str, text: str) -> None:
        world.change("UPDATE allocations SET holds = :text WHERE id = :id", text=text, id=id_)

    change(first.allocation_id, rows[first.allocation_id].replace("1000000000", "1000000007"))
    found = Verifier(world.reader).verify().findings
    change(first.allocation_id, rows[first.allocation_id])
    change(second.allocation_id, "[[")
    broken = findings(world)

    assert [(f.table, f.column, f.difference) for f in found] == [
        ("allocations", "held_cost_nano", 7),
        ("allocations", "held_cost_nano", 7),
    ]
    assert {f.id.startswith("holding on ") for f in found} == {True, False}
    assert first.allocation_id in {f.id for f in found}
    assert broken[0] == ("allocations", second.allocation_id, "holds")
    assert {table for table, _, _ in broken} == {"allocations"}


def test_findings_beyond_a_thousand_are_counted() -> None:
    found = Findings()
    for number in range(1500):
        found.add(Finding("journal", str(number), "no", number, 1))

    assert found.count == 1500
    assert len(list(found)) == 1000


def test_a_digit_is_looked_for_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    content = [1234, None, "a9"]
    digest = digest_of([1234, None, "a8"])

    assert mended(content, digest) == mending.Mended(2, "a8")
    monkeypatch.setattr(mending, "DIGITS_MAX", 30)
    assert mended(content, digest) is None
    own = digest_of(content)
    assert mended(content, own[:-1] + ("0" if own[-1] != "0" else "1")) == mending.Mended(None, own)


@pytest.mark.parametrize("column", ["policy_no", "opens_us", "grp", "id"])
def test_a_key_and_the_columns_it_is_made_of_agree(quick: World, column: str) -> None:
    busy(quick)
    row = next(row for row in quick.all("balances") if row["grp"] == "bob7")
    others = {"policy_no": 9, "opens_us": 5, "grp": "bob8", "id": "9:5:bob7"}
    quick.change(
        f"UPDATE balances SET {column} = :other WHERE id = :id", other=others[column], id=row["id"]
    )

    (finding,) = Verifier(quick.reader).verify().findings

    assert (finding.table, finding.column) == ("balances", column)
    assert (finding.found, finding.expected) == (others[column], row[column])


def test_looking_again_ends_however_fast_others_write(
    quick: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy(quick)
    for check in (balance_check, rollup_check):
        monkeypatch.setattr(check, "TAIL_MAX", -1)  # as if there were always more
        monkeypatch.setattr(check, "ROUNDS_MAX", 2)
    assert findings(quick) == []

    quick.change("UPDATE balances SET held_tokens = 7 WHERE grp = 'bob7'")

    assert [(table, column) for table, _, column in findings(quick)] == [
        ("balances", "held_tokens")
    ]
