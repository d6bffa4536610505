"""Usage records listed, found and streamed: without gaps or repeats, and never another team's."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.errors import InvalidInput, NotFound
from tekton_budget.domain.units import Part
from tekton_budget.domain.usage import TokenCounts
from tekton_budget.service.asking.asks import Used
from tekton_budget.service.paging import Page, Slice
from tekton_budget.service.reporting import records
from tekton_budget.service.reporting.records import Records, RecordView, UsageQuery, _output_nano
from tekton_budget.service.reporting.reports import Reports, SummaryQuery
from tekton_budget.storage.rows import usages
from tekton_budget.storage.rows.usages import StoredUsage

from .conftest import HOUR_US, NOON_US, TEAM_A, TEAM_B, World


def ids(page: Page[RecordView]) -> list[str]:
    return [view.record.record_id for view in page.items]


def fill(world: World) -> list[str]:
    """Forty records, several of one moment; the newest first."""
    tickets = [
        world.recording(
            "0.10",
            NOON_US - number // 3 * HOUR_US,
            record_id=f"r{number:02d}",
            team="ab"[number % 2],
            user=f"u{number % 5}",
            context_id=f"c{number % 4}",
            component="hermes" if number % 3 else "rhetor",
            task_type="chat",
            provider="openai",
            model="gpt-5" if number % 2 else "gpt-5-mini",
        )
        for number in range(40)
    ]
    for ticket in tickets:
        ticket.result()
    rows = sorted(world.all("usage"), key=lambda row: (-row["at_us"], -row["no"]))
    return [row["record_id"] for row in rows]


def walked(world: World, caller: Caller, query: UsageQuery, limit: int) -> list[str]:
    records, found, after = Records(world.reader), [], None
    while True:
        page = records.listed(caller, query, Slice(limit=limit, after=after))
        assert len(page.items) <= limit
        found += ids(page)
        if page.next is None:
            return found
        after = page.next


def test_a_walk_meets_each_record_once_newest_first(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest_first = fill(world)
    of_a = [id_ for id_ in newest_first if int(id_[1:]) % 2 == 0]
    wanted = UsageQuery(component="rhetor", labels={"user": "u0"})
    some = [i for i in newest_first if int(i[1:]) % 3 == 0 and int(i[1:]) % 5 == 0]
    for examined, limit in ((3, 1), (3, 7), (20_000, 1), (20_000, 40), (3, 1000), (20_000, 1000)):
        monkeypatch.setattr(usages, "EXAMINED_MAX", examined)
        assert walked(world, LOCAL, UsageQuery(), limit) == newest_first
        assert walked(world, TEAM_A, UsageQuery(), limit) == of_a
        assert walked(world, LOCAL, wanted, limit) == some


def test_records_that_arrive_during_a_walk_do_not_disturb_it(world: World) -> None:
    before = fill(world)
    records = Records(world.reader)
    first = records.listed(LOCAL, UsageQuery(), Slice(limit=15))
    world.record("1", NOON_US + 1, record_id="new", team="a")
    second = records.listed(LOCAL, UsageQuery(), Slice(limit=1000, after=first.next))

    assert ids(first) + ids(second) == before
    assert second.next is None


def test_each_filter_keeps_what_it_names(world: World) -> None:
    newest_first = fill(world)
    key = world.running.service.keys
    del key
    held = world.hold("1", team="a", user="u1")
    world.settle(held, "0.5")
    allocated = walked(world, LOCAL, UsageQuery(allocation_id=held.allocation_id), 5)
    numbers = {id_: int(id_[1:]) for id_ in newest_first}

    assert len(allocated) == 1
    assert allocated[0] not in numbers

    def expect(query: UsageQuery, keeps: set[int]) -> None:
        found = walked(world, LOCAL, query, 1000)
        assert {numbers[id_] for id_ in found if id_ in numbers} == keeps

    everything = set(range(40))
    expect(UsageQuery(context_id="c1"), {n for n in everything if n % 4 == 1})
    expect(UsageQuery(model="gpt-5"), {n for n in everything if n % 2})
    expect(UsageQuery(provider="openai", component="rhetor"), {n for n in everything if n % 3 == 0})
    expect(UsageQuery(task_type="chat"), everything)
    expect(UsageQuery(task_type="code"), set())
    expect(UsageQuery(labels={"user": "u3", "team": "b"}), {3, 13, 23, 33})
    expect(UsageQuery(from_us=NOON_US - HOUR_US), set(range(6)))
    expect(UsageQuery(to_us=NOON_US - HOUR_US), set(range(6, 40)))
    expect(UsageQuery(key_id="nobody"), set())
    expect(
        UsageQuery(component="rhetor", labels={"component": "hermes"}),
        {n for n in everything if n % 3 == 0},
    )


def test_totals_are_told_where_they_are_cheap(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(world)
    records = Records(world.reader)

    def total(part: Slice, **asked: object) -> int | None:
        return records.listed(LOCAL, UsageQuery(**asked), part).total

    assert total(Slice(limit=5)) == 40
    assert total(Slice(page=3, limit=15)) == 40
    assert total(Slice(limit=5), context_id="c1") is None
    assert total(Slice(limit=5), component="rhetor") is None
    assert total(Slice(limit=100), component="rhetor") == 14
    monkeypatch.setattr(usages, "COUNTED_MAX", 39)
    assert total(Slice(limit=5)) is None


def test_pages_by_number_are_there_for_older_clients(world: World) -> None:
    newest_first = fill(world)
    records = Records(world.reader)
    pages = [records.listed(LOCAL, UsageQuery(), Slice(page=n, limit=15)) for n in (1, 2, 3, 4)]

    assert [id_ for page in pages for id_ in ids(page)] == newest_first
    assert [page.page for page in pages] == [1, 2, 3, 4]
    assert [page.next is None for page in pages] == [False, False, True, True]
    after = records.listed(LOCAL, UsageQuery(), Slice(limit=1000, after=pages[0].next))
    assert ids(after) == newest_first[15:]


@pytest.mark.parametrize(
    ("field", "part"),
    [
        ("limit", {"limit": 0}),
        ("limit", {"limit": 1001}),
        ("page", {"page": 0}),
        ("page", {"page": 11, "limit": 1000}),
        ("page", {"page": 2, "after": "W10"}),
    ],
)
def test_a_page_beyond_its_bounds_is_refused(field: str, part: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Slice(**part)

    assert [fault.field for fault in refusal.value.fields] == [field]


@pytest.mark.parametrize("cursor", ["?", "W10", "bm90IGpzb24", "é", "WyJhIiwiYiJd", "W"])
def test_a_cursor_that_is_not_ours_is_refused(quick: World, cursor: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Records(quick.reader).listed(LOCAL, UsageQuery(), Slice(after=cursor))

    assert [fault.field for fault in refusal.value.fields] == ["after"]


def test_a_stream_gives_all_in_the_order_of_time(world: World) -> None:
    newest_first = fill(world)
    pages = list(Records(world.reader).stream(LOCAL, UsageQuery(), limit=7))

    assert [v.record.record_id for page in pages for v in page] == newest_first[::-1]
    assert max(len(page) for page in pages) == 7
    foreign = UsageQuery(labels={"team": "a"})
    assert list(Records(world.reader).stream(TEAM_B, foreign)) == []


def test_another_teams_record_is_not_there(world: World) -> None:
    fill(world)
    records = Records(world.reader)

    assert records.one(TEAM_A, "r00").record.record_id == "r00"
    for caller, id_ in ((TEAM_B, "r00"), (LOCAL, "nothing")):
        with pytest.raises(NotFound) as refusal:
            records.one(caller, id_)
        assert refusal.value.code == "record_not_found"
    assert records.listed(TEAM_B, UsageQuery(labels={"team": "a"})) == Page((), 0)


def test_a_key_finds_its_own_record_first(world: World) -> None:
    keys = [Caller(name, name, Role.CLIENT, {"team": "a"}) for name in ("k1", "k2")]
    for number, caller in enumerate(keys):
        world.record(f"{number + 1}", caller=caller, record_id="same", team="a")
    records = Records(world.reader)

    found = [records.one(caller, "same").record for caller in keys]
    assert [record.key_id for record in found] == ["k1", "k2"]
    assert records.one(TEAM_A, "same").record.key_id == "k1"


def test_a_priced_record_tells_what_was_for_output(world: World) -> None:
    world.price("gpt-5", "openai", "2")
    labels = {"provider": "openai", "model": "gpt-5", "team": "a"}
    verb = world.running.service.ledger.record
    used = Used(input_tokens=1000, output_tokens=500)
    ours = verb(LOCAL, used, labels=labels).result()
    theirs = world.record("0.7", **labels)
    unknown = world.record(None, team="a", model="nobody-sells-this")
    records = Records(world.reader)

    view = records.one(LOCAL, ours.record_id)
    assert view.record.cost_nano == 3_000_000
    assert (view.input_cost_nano, view.output_cost_nano) == (2_000_000, 1_000_000)
    for other in (theirs, unknown):
        view = records.one(LOCAL, other.record_id)
        assert (view.input_cost_nano, view.output_cost_nano) == (None, None)
    assert records.one(LOCAL, unknown.record_id).record.cost_nano is None
    assert records.one(LOCAL, theirs.record_id).record.cost_nano == int(Decimal("0.7e9"))


def test_what_was_for_output_is_told_as_far_as_one_card_says_it(world: World) -> None:
    world.price("gpt-5", "openai", "2")
    labels = {"provider": "openai", "model": "gpt-5"}
    response = {"model": "gpt-5", "usage": {"prompt_tokens": 1000, "completion_tokens": 500}}
    made = world.running.service.ledger.record(
        LOCAL, Used(response=response), labels=labels
    ).result()
    view = Records(world.reader).one(LOCAL, made.record_id)
    book, record = world.reader.book(), view.record

    assert (view.input_cost_nano, view.output_cost_nano) == (2_000_000, 1_000_000)
    assert _output_nano(book, record) == 1_000_000
    moved = StoredUsage(1, record._replace(price_id="of another installation"))
    assert [*Records(world.reader)._views([moved])] == [RecordView(moved.record)]
    for changed in (
        {"price_id": "of another installation"},
        {"model": "nobody-sells-this"},
        {"parts": (*record.parts, Part((("output", 5),), model="an-advisor"))},
        {"parts": (Part((("web_search", 1),)),)},  # it has no rate
    ):
        assert _output_nano(book, record._replace(**changed)) is None
    from_kinds = record._replace(parts=(), counts=TokenCounts(1000, 500, other=7))
    assert _output_nano(book, from_kinds) == 1_000_000


@pytest.mark.parametrize("oldest_first", [False, True])
def test_days_without_a_label_are_stepped_over(
    world: World, monkeypatch: pytest.MonkeyPatch, oldest_first: bool
) -> None:
    monkeypatch.setattr(usages, "EXAMINED_MAX", 2)
    monkeypatch.setattr(usages, "BUCKETS_ASKED", 7)
    rare = {3, 4, 27}
    tickets = [
        world.recording(
            "0.1",
            NOON_US - day * 24 * HOUR_US - number,
            team="z" if day in rare and number == 3 else "a",
            user=f"u{number}",
            provider="openai",
            model="rare" if day in rare else "gpt-5",
        )
        for day in range(30)
        for number in range(6)
    ]
    for ticket in tickets:
        ticket.result()
    rows = usages.UsageRows(world.reader)
    asked: list[object] = []
    read = world.reader.rows
    monkeypatch.setattr(world.reader, "rows", lambda query: [asked.append(query), read(query)][1])

    def found(**wanted: object) -> list[int]:
        asked.clear()
        walked = rows.walk(usages.UsageFilter(**wanted), limit=99, oldest_first=oldest_first)
        days = [(NOON_US - one.record.at_us) // (24 * HOUR_US) for one in walked]
        return days if oldest_first else days[::-1]

    assert found(labels={"team": "z"}) == [27, 4, 3]
    assert len(asked) < 40  # and not the 180 that looking everywhere takes
    assert found(model="rare", labels={"user": "u1"}) == [27, 4, 3]
    assert found(provider="nobody") == []
    assert found(labels={"team": "z", "user": "u1"}) == []
    assert found(labels={"mood": "good"}) == []
    assert len(asked) > 150  # not well known: only looking tells
    total = Reports(world.reader).report(
        LOCAL, by=["user"], query=SummaryQuery(UsageQuery(labels={"team": "z"}))
    )
    assert [(row.values, row.sums.records) for row in total.rows] == [(("u3",), 3)]


def test_a_cost_is_split_where_every_record_tells_and_they_are_few(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.price("big", usd="10")
    verbs = world.running.service.records
    query = UsageQuery(NOON_US - 10, NOON_US + 10)
    for user in ("a", "a", "b"):
        world.record(None, NOON_US, provider="openai", model="big", user=user)

    assert verbs.split(LOCAL, query) == (300_000, 150_000)
    of_b = replace(query, labels={"user": "b"})
    assert verbs.split(LOCAL, of_b) == (100_000, 50_000)
    monkeypatch.setattr(records, "SPLIT_MAX", 2)
    assert verbs.split(LOCAL, of_b) is None  # to find the one, three would be looked at
    monkeypatch.undo()
    world.record("1", NOON_US, user="a")
    assert verbs.split(LOCAL, query) is None
    assert verbs.split(LOCAL, of_b) == (100_000, 50_000)
