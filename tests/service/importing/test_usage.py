"""Usage comes in once, whatever happens, and both sides are added up by themselves."""

import threading
from collections import Counter
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.foreign.apollo_made import Json, packed, record, stores
from tests.service.importing.conftest import (
    POLICIES,
    USAGE,
    Clock,
    apollo_files,
    import_apollo,
    import_rhetor,
    made_files,
    options,
    rhetor_database,
    tamper,
    totals_of,
    usage_rows,
)

from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.errors import Forbidden, InvalidInput
from tekton_budget.domain.zones import rfc3339
from tekton_budget.service.importing import ImportReport
from tekton_budget.service.reporting.records import UsageQuery
from tekton_budget.wiring import Running

NAMES = count()


def test_apollos_store_comes_in_to_the_last_token_and_only_once(running: Running) -> None:
    files, expected = apollo_files(), totals_of("apollo-A")

    first = import_apollo(running, files)
    again = import_apollo(running, dict(reversed(files.items())))

    assert first.is_complete
    assert (first.usage.new, first.usage.there) == (3920, 0)
    assert first.check.total.ours.total_tokens == expected["unique_tokens"] == 4314398
    for by in ("component", "provider", "model", "task_type"):
        assert _ours(first, by) == expected[f"by_{by}"]
    assert _ours(first, "tier") == expected["by_tier_apollo_rule"]
    assert _ours(first, "type") == expected["by_usage_type"]
    assert _ours(first, "month") == expected["by_month"]
    assert again.is_complete
    assert (again.usage.new, again.usage.there) == (0, 3920)
    assert again.check == first.check
    assert {limit.outcome for limit in again.limits} == {"same"}
    assert usage_rows(running) == 3920
    assert running.service.verifier.verify().is_good


def test_rhetors_store_comes_in_to_the_last_cent_and_only_once(running: Running) -> None:
    database, expected = rhetor_database(), totals_of("rhetor-A")

    first = import_rhetor(running, database)
    again = import_rhetor(running, database)

    assert first.is_complete
    assert first.check.total.ours.cost == Decimal(expected["cost_decimal_sum"])
    assert first.check.total.ours.input_tokens == expected["input_tokens"]
    for by in ("provider", "model", "component", "task_type", "month", "day"):
        found = {
            one.value: (
                one.ours.records,
                one.ours.input_tokens,
                one.ours.output_tokens,
                one.ours.cost,
            )
            for one in first.check.sums
            if one.by == by
        }
        assert found == {
            value: (
                sums["records"],
                sums["input_tokens"],
                sums["output_tokens"],
                Decimal(sums["cost"]),
            )
            for value, sums in expected[f"by_{by}"].items()
        }
    assert (again.usage.new, again.usage.there) == (0, 2600)
    assert again.check == first.check
    assert running.service.verifier.verify().is_good


def _ours(report: ImportReport, by: str) -> Json:
    return {
        one.value: {"records": one.ours.records, "tokens": one.ours.total_tokens}
        for one in report.check.sums
        if one.by == by
    }


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stores(), st.booleans())
def test_any_store_comes_in_to_equal_totals_twice_in_any_order(
    quick: Running, made: tuple[list[Json], dict[str, bytes]], dry_first: bool
) -> None:
    listed, files = made
    name = f"example-{next(NAMES)}-".encode()
    own = {
        n: text.replace(b'"record_id": "', b'"record_id": "' + name) for n, text in files.items()
    }
    before = usage_rows(quick)

    planned = import_apollo(quick, own, dry_run=True) if dry_first else None
    first = import_apollo(quick, own)
    again = import_apollo(quick, dict(reversed(own.items())))

    tokens, records = Counter[str](), Counter[str]()
    for row in listed:
        tokens[row["usage_type"]] += row["tokens_used"]
        records[row["component"]] += 1
    ours = first.check.total.ours
    assert usage_rows(quick) == before + len(listed)
    assert (ours.input_tokens, ours.output_tokens, ours.tokens) == (
        tokens["input"],
        tokens["output"],
        tokens["total"],
    )
    assert {c.value: c.ours.records for c in first.check.sums if c.by == "component"} == records
    assert first.check.verified
    assert again.check == first.check
    assert (first.usage.new, again.usage.new) == (len(listed), 0)
    if planned is not None:
        assert planned.check == first.check
        assert planned.usage == first.usage


def test_a_record_keeps_all_that_apollo_knew_of_it(quick: Running) -> None:
    row = record("a-1", usage_type="total", operation_id="op-1", metadata={"note": "ü"})

    import_apollo(quick, made_files([row]), timezone="Europe/Berlin")
    [view] = quick.service.records.listed(LOCAL, UsageQuery()).items

    found = view.record
    assert (found.record_id, found.counts.other, found.counts.total) == ("a-1", 100, 100)
    assert found.at_us == found.placed_us == 1_770_624_843_200_000  # 08:14:03.2 UTC
    assert found.labels == {
        "context_id": "ergon:coding-1",
        "component": "ergon",
        "provider": "anthropic",
        "model": "claude-3-opus",
        "task_type": "coding",
        "tier": "remote_heavyweight",
        "imported_from": "apollo",
    }
    assert found.operation_id == "op-1"
    assert '"note":"ü"' in found.metadata
    assert '"allocation_id":"allocation of a-1"' in found.metadata


# --- again, in the middle, at once --------------------------------------------------------------


def test_new_files_add_what_is_new(quick: Running) -> None:
    first, second = [record("a"), record("b")], [record("b"), record("c")]

    import_apollo(quick, made_files(first))
    report = import_apollo(
        quick, {**made_files(first), "usage_records_1780000000.json": packed(second)}
    )

    assert (report.usage.new, report.usage.there) == (1, 2)
    assert [(part.name, part.new, part.there, part.repeated) for part in report.parts] == [
        (USAGE, 0, 2, 0),
        ("usage_records_1780000000.json", 1, 0, 1),
    ]


def test_an_import_that_is_stopped_goes_on_where_it_was(running: Running) -> None:
    files = made_files([record(f"r{n}") for n in range(1200)], [])

    class Stopped(Exception):
        pass

    def stop(stage: str, done: int, _: int | None) -> None:
        if stage == "posting" and done >= 500:
            raise Stopped

    with pytest.raises(Stopped):
        running.service.imports.apollo(LOCAL, files, options(), stop)
    there = usage_rows(running)
    report = import_apollo(running, files)

    assert 0 < there < 1200
    assert (report.usage.there, report.usage.new) == (there, 1200 - there)
    assert report.check.verified
    assert usage_rows(running) == 1200


def test_two_imports_at_once_add_each_record_once(running: Running) -> None:
    files = apollo_files()
    reports: list[ImportReport] = []
    threads = [
        threading.Thread(target=lambda: reports.append(import_apollo(running, files)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(reports) == 3
    assert all(report.is_complete for report in reports)
    assert usage_rows(running) == 3920
    policies = running.reader.policies().counting_everywhere()
    assert len(policies) == len({policy.policy_id for policy in policies}) == 13
    assert {policy.status.value for policy in policies} == {"active"}


def test_a_dry_run_writes_nothing_and_says_what_an_import_would(running: Running) -> None:
    files = apollo_files()

    planned = import_apollo(running, files, dry_run=True)
    rows, budgets = usage_rows(running), dict(running.reader.policies().budgets)
    real = import_apollo(running, files)

    assert (rows, budgets) == (0, {})
    assert planned.dry_run
    assert planned.check == real.check
    assert planned.usage == real.usage
    assert planned.limits == real.limits
    assert planned.costs == real.costs


# --- cut-over -----------------------------------------------------------------------------------


def test_usage_at_or_after_the_cut_over_is_left_out_and_nothing_is_lost_between(
    quick: Running,
) -> None:
    times = ["08:59:59.999999", "09:00:00", "09:00:00.000001"]
    rows = [record(f"r{n}", timestamp=f"2026-03-01T{at}") for n, at in enumerate(times)]

    until = import_apollo(
        quick, made_files(rows), until="2026-03-01T09:00", timezone="Europe/Berlin"
    )
    with_offset = import_apollo(
        quick, made_files(rows), until="2026-03-01T08:00:00Z", timezone="Europe/Berlin"
    )
    later = import_apollo(quick, made_files(rows), timezone="Europe/Berlin")

    assert (until.usage.new, until.usage.later) == (1, 2)
    assert until.check.total.theirs.records == 1
    assert (with_offset.usage.there, with_offset.usage.later) == (1, 2)
    assert (later.usage.new, later.usage.there) == (2, 1)


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("2026-03-29T01:59:59.5", "2026-03-29T00:59:59.500000"),
        ("2026-03-29T02:30:00.25", "2026-03-29T01:00:00.250000"),  # skipped: after the gap
        ("2026-03-29T03:00:00", "2026-03-29T01:00:00"),
        ("2025-10-26T02:30:00", "2025-10-26T00:30:00"),  # shown twice: the first one
        ("2026-06-01T00:00:00+09:00", "2026-05-31T15:00:00"),  # it says itself
    ],
)
def test_local_times_are_read_in_the_zone_that_is_said(quick: Running, said: str, at: str) -> None:
    report = import_apollo(
        quick, made_files([record("a", timestamp=said)]), timezone="Europe/Berlin"
    )
    [view] = quick.service.records.listed(LOCAL, UsageQuery()).items

    assert rfc3339(view.record.at_us) == f"{at}Z"
    assert report.check.verified


def test_months_are_those_of_the_zone(quick: Running) -> None:
    rows = [
        record("a", timestamp="2026-02-28T23:30:00"),
        record("b", timestamp="2026-03-01T00:30:00"),
    ]

    report = import_apollo(quick, made_files(rows), timezone="Asia/Tokyo")

    months = {one.value: one.ours.records for one in report.check.sums if one.by == "month"}
    assert months == {"2026-02": 1, "2026-03": 1}
    assert report.check.verified


def test_another_zone_the_second_time_is_a_difference_and_not_a_second_record(
    quick: Running,
) -> None:
    files = made_files([record("a", timestamp="2026-03-01T00:30:00")])
    import_apollo(quick, files, timezone="UTC")

    report = import_apollo(quick, files, timezone="Asia/Tokyo")

    assert (report.usage.new, report.usage.there) == (0, 1)
    assert not report.check.verified
    assert report.check.differing == ("a",)
    assert usage_rows(quick) == 1


# --- the check finds what is wrong --------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "by"),
    [
        (
            {"input_tokens": 99},
            {"component", "provider", "model", "task_type", "tier", "type", "month"},
        ),
        ({"input_tokens": 0, "output_tokens": 100}, None),
        ({"at_us": 1_780_000_000_000_000}, {"month"}),
        ({"model": "gpt-4"}, {"model"}),
        ({"labels": '{"imported_from":"apollo"}'}, None),
        ({"metadata": "{}"}, None),
        ({"operation_id": "op-9"}, None),
    ],
)
def test_what_is_stored_otherwise_is_found(
    quick: Running, change: dict[str, Any], by: set[str] | None
) -> None:
    files = made_files([record("a"), record("b")])
    assert import_apollo(quick, files).check.verified
    tamper(quick, "a", **change)

    report = import_apollo(quick, files)

    assert not report.check.verified
    assert not report.is_complete
    if by is None:
        assert report.check.differing == ("a",)
    else:
        assert {one.by for one in report.check.sums if not one.agrees} == by


def test_a_stored_record_that_was_lost_is_found(quick: Running) -> None:
    files = made_files([record("a"), record("b")])
    import_apollo(quick, files)
    tamper(quick, "a", record_id="lost")  # its answer is remembered, so it is not posted again

    report = import_apollo(quick, files)

    assert not report.check.verified
    assert report.check.differing == ("a",)
    assert (report.check.total.theirs.records, report.check.total.ours.records) == (2, 1)


def test_what_cannot_have_happened_is_refused_and_the_rest_comes_in(
    quick: Running, clock: Clock
) -> None:
    rows = [
        record("a"),
        record("ahead", timestamp="2031-01-01T00:00:00"),
        record("before", timestamp="1969-12-31T23:00:00"),
        record("never", timestamp="0001-01-01T00:00:00"),
    ]
    planned = import_apollo(quick, made_files(rows), timezone="Asia/Tokyo", dry_run=True)
    report = import_apollo(quick, made_files(rows), timezone="Asia/Tokyo")

    assert (report.usage.new, report.usage.refused) == (1, 3)
    assert report.usage == planned.usage
    assert [fault.where for fault in report.faults] == [
        "record ahead",
        "record before",
        "record never",
    ]
    assert report.check.verified
    assert not report.is_complete


# --- costs --------------------------------------------------------------------------------------


def test_costs_come_from_the_book_of_their_time_and_what_has_no_price_is_said(
    quick: Running,
) -> None:
    quick.service.prices.load_cards(
        LOCAL,
        [
            {
                "provider": "anthropic",
                "model": "claude-3-opus",
                "effective_from": "2026-02-01",
                "rates": {"input": "15", "output": "75"},
            }
        ],
        "test",
    )
    rows = [
        record("in", tokens_used=1000),
        record("out", tokens_used=1000, usage_type="output"),
        record("sum", tokens_used=1000, usage_type="total"),
        record("early", timestamp="2026-01-31T10:00:00"),
        record("other", model="unknown", provider="unknown"),
    ]

    report = import_apollo(quick, made_files(rows))

    opus, unknown = report.costs["anthropic / claude-3-opus"], report.costs["unknown / unknown"]
    assert opus.cost_nano == 15_000_000 + 75_000_000 + 75_000_000
    assert (opus.records, opus.unpriced, opus.estimated) == (4, 1, 1)
    assert (unknown.records, unknown.unpriced, unknown.cost_nano) == (1, 1, 0)


# --- who may, and what is no store --------------------------------------------------------------


@pytest.mark.parametrize(
    "caller",
    [
        Caller("k", "k", Role.CLIENT),
        Caller("k", "k", Role.VIEWER),
        Caller("k", "k", Role.ADMIN, {"team": "a"}),
    ],
)
def test_only_keys_that_see_everything_may_import_and_export(
    quick: Running, caller: Caller
) -> None:
    with pytest.raises(Forbidden):
        quick.service.imports.apollo(caller, made_files([]), options())
    with pytest.raises(Forbidden):
        quick.service.imports.rhetor(caller, b"", options())
    with pytest.raises(Forbidden):
        quick.service.exports.apollo(caller, "UTC")
    with pytest.raises(Forbidden):
        quick.service.exports.rhetor(caller, "UTC")


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"timezone": "Europe/Berlim"}, "timezone"),
        ({"until": "tomorrow"}, "until"),
        ({"mode": "maybe"}, "mode"),
    ],
)
def test_options_that_are_none_are_refused_before_anything_is_done(
    quick: Running, said: Json, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        import_apollo(quick, made_files([record("a")]), **said)

    assert [fault.field for fault in refused.value.fields] == [field]
    assert usage_rows(quick) == 0


def test_files_that_are_none_of_apollos_are_refused(quick: Running) -> None:
    with pytest.raises(InvalidInput, match=POLICIES):
        import_apollo(quick, {"notes.json": b"[]"})
