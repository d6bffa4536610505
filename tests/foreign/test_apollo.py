"""Apollo's files are read with suspicion, each record once, and written back as they were."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from tests.foreign.apollo_made import Json, packed, policy, record, stores

from tekton_budget.foreign.apollo import is_apollo_file, read_apollo, write_apollo
from tekton_budget.foreign.store import ForeignUsage, exported_note

STORE = Path(__file__).parents[3] / "shared" / "tekton" / "apollo-A"
USAGE = "usage_records_1770000000.json"
LATER = "usage_records_1770000009.json"
POLICIES = "budget_policies.json"


def of_store() -> dict[str, bytes]:
    if not STORE.is_dir():
        pytest.skip(f"the Apollo store is not beside the repository ({STORE})")
    return {path.name: path.read_bytes() for path in (STORE / "budget_data").iterdir()}


def expected_totals() -> Json:
    block = re.search(
        r"## Expected totals.*?```json\n(.*?)```", (STORE / "README.md").read_text(), re.DOTALL
    )
    assert block is not None
    return json.loads(block[1])


def test_the_store_has_the_totals_that_its_own_code_reports() -> None:
    store = read_apollo(of_store())
    expected = expected_totals()

    assert store.faults == ()
    assert len(store.usages) == expected["unique_records"]
    assert sum(part.found for part in store.parts) - 13 == expected["raw_records_in_files"]
    assert sum(part.repeated for part in store.parts) == 4114 - 3920
    for name, label in (("component", "component"), ("task_type", "task_type")):
        assert _by(store.usages, label) == expected[f"by_{name}"]
    assert _by(store.usages, "tier") == expected["by_tier_apollo_rule"]
    assert _by(store.usages, "provider") == expected["by_provider"]
    assert len(store.limits) == expected["policies"]
    assert sum(limit.enabled for limit in store.limits) == expected["policies_enabled"]


def _by(usages: Iterable[ForeignUsage], label: str) -> Json:
    records, tokens = Counter[str](), Counter[str]()
    for usage in usages:
        records[usage.labels[label]] += 1
        tokens[usage.labels[label]] += usage.total_tokens
    return {name: {"records": records[name], "tokens": tokens[name]} for name in records}


def test_what_is_written_of_the_store_is_the_store() -> None:
    store = read_apollo(of_store())

    written = write_apollo(store.usages, store.limits)
    again = read_apollo(written.files)

    assert written.faults == again.faults == ()
    assert {one.record_id: one for one in again.usages} == {
        one.record_id: one for one in store.usages
    }
    assert again.limits == store.limits
    theirs = json.loads(of_store()[POLICIES])
    assert json.loads(written.files[POLICIES]) == theirs
    rows = [
        row for name, text in of_store().items() if name != POLICIES for row in json.loads(text)
    ]
    ours = [row for n, text in written.files.items() if n != POLICIES for row in json.loads(text)]
    assert {row["record_id"]: row for row in ours} == {row["record_id"]: row for row in rows}
    assert max(len(json.loads(text)) for text in written.files.values()) == 1000


@given(stores())
def test_any_store_is_read_to_the_same_records_whatever_its_files(
    made: tuple[list[Json], dict[str, bytes]],
) -> None:
    listed, files = made

    store = read_apollo(files)
    once = read_apollo({USAGE: packed(listed)})
    back = read_apollo(write_apollo(store.usages, ()).files)

    assert store.faults == ()
    by_id = {usage.record_id: usage for usage in store.usages}
    assert by_id == {usage.record_id: usage for usage in once.usages}
    assert by_id == {usage.record_id: usage for usage in back.usages}
    assert sum(one.total_tokens for one in store.usages) == sum(r["tokens_used"] for r in listed)


# --- what is broken ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "Expecting value at line 1 column 1 (it ends too early)"),
        (packed([record("x")])[:-40], "ends too early"),
        (b"{not json", "is not JSON"),
        (b'{"records": []}', "is a JSON object, not a list"),
        (b"17", "is a JSON number"),
        (b"[NaN]", "NaN is no number"),
        (b"\xff\xfe\x00", "is not UTF-8"),
        (b"[" * 100_000, "is not JSON"),
    ],
)
def test_a_broken_file_is_named_and_the_others_are_read(content: bytes, why: str) -> None:
    store = read_apollo({LATER: content, USAGE: packed([record("a")]), POLICIES: packed([])})

    assert [usage.record_id for usage in store.usages] == ["a"]
    assert [fault.where for fault in store.faults] == [LATER]
    assert why in store.faults[0].what
    assert [part.name for part in store.parts if not part.is_whole] == [LATER]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (17, "is a number, not an object"),
        (record("b", tokens_used=-1), "tokens_used is -1, not 0 to"),
        (record("b", tokens_used="5"), 'tokens_used is "5", not a whole number'),
        (record("b", tokens_used=1.5), "tokens_used is 1.5"),
        (record("b", tokens_used=True), "tokens_used is true"),
        (record("b", tokens_used=10**13), "tokens_used is 10000000000000, not 0 to"),
        (record("b", usage_type="both"), 'usage_type is "both", not one of input, output, total'),
        (record("b", timestamp="yesterday"), 'timestamp is "yesterday", not a time'),
        (record("b", timestamp=None), "timestamp is missing"),
        (record(""), "record_id is empty"),
        ({"record_id": "b"}, "tokens_used is missing"),
        (record("b", component=None), "component is missing"),
        (record("b", metadata=[]), "metadata is a list"),
    ],
)
def test_a_broken_row_is_named_and_the_others_are_read(row: Any, why: str) -> None:
    store = read_apollo({USAGE: packed([record("a"), row, record("c")])})

    assert [usage.record_id for usage in store.usages] == ["a", "c"]
    assert [fault.where for fault in store.faults] == [f"{USAGE}[1]"]
    assert why in store.faults[0].what
    assert [part.skipped for part in store.parts] == [1]


def test_of_a_record_that_differs_the_first_file_counts_and_it_is_said() -> None:
    first, other = record("a"), record("a", tokens_used=999)

    for files in ({USAGE: first, LATER: other}, {LATER: other, USAGE: first}):
        store = read_apollo({name: packed([row]) for name, row in files.items()})

        assert [usage.input_tokens for usage in store.usages] == [100]
        assert [fault.where for fault in store.faults] == [f"{LATER}[0]"]
        assert "differs" in store.faults[0].what


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"limit": -5}, "limit is -5"),
        ({"limit": None}, "limit is missing"),
        ({"type": "deny"}, 'type is "deny"'),
        ({"tier": "heavyweight"}, 'tier is "heavyweight"'),
        ({"period": "yearly"}, 'period is "yearly"'),
        ({"component": "er*"}, "pattern"),
        ({"policy_id": ""}, "policy_id is empty"),
        ({"enabled": "yes"}, "not true or false"),
        ({"end_date": "soon"}, "not a time"),
    ],
)
def test_a_broken_policy_is_named_and_the_others_are_read(fields: Json, why: str) -> None:
    store = read_apollo({POLICIES: packed([policy("p"), policy("q") | fields, policy("p")])})

    assert [limit.policy_id for limit in store.limits] == ["p"]
    assert [fault.where for fault in store.faults] == [f"{POLICIES}[1]", f"{POLICIES}[2]"]
    assert why in store.faults[0].what


@pytest.mark.parametrize("share", [80, 0, -1, "much", True])
def test_a_threshold_that_is_none_costs_no_limit(share: Any) -> None:
    store = read_apollo({POLICIES: packed([policy("p", warning_threshold=share)])})

    assert [limit.warning_threshold for limit in store.limits] == [None]
    assert [limit.action_threshold for limit in store.limits] == [Decimal("0.95")]
    assert "our default is taken" in store.faults[0].what


def test_a_policy_keeps_its_words_and_enums_may_be_spelled_as_python_prints_them() -> None:
    said = policy(
        "p",
        type="BudgetPolicyType.SOFT_LIMIT",
        period="BudgetPeriod.WEEKLY",
        tier="BudgetTier.LOCAL_MIDWEIGHT",
        component="athena",
        task_type="chat",
        warning_threshold=0.65,
        end_date="2026-03-31T23:59:59",
        enabled=False,
    )

    [limit, twin] = read_apollo({POLICIES: packed([said, {**said, "policy_id": "q"}])}).limits

    assert (limit.enforcement, limit.period, limit.token_limit) == ("soft_limit", "weekly", 60000)
    assert dict(limit.scope) == {
        "tier": "local_midweight",
        "component": "athena",
        "task_type": "chat",
    }
    assert limit.warning_threshold == Decimal("0.65")
    assert (limit.enabled, str(limit.ends_at)) == (False, "2026-03-31 23:59:59")
    assert limit.name == "apollo weekly local_midweight athena chat"
    assert twin.name == f"{limit.name} q"


def test_what_no_label_can_be_is_kept_beside_it() -> None:
    odd = record("an id with spaces", component="er\ngon", context_id="", model="m" * 300)
    odd["metadata"] = {"half": "\ud800", "nul": "\0"}

    [usage] = read_apollo({USAGE: packed([odd])}).usages
    [again] = json.loads(list(write_apollo([usage], ()).files.values())[1])

    assert re.fullmatch(r"apollo:[0-9a-f]{40}", usage.record_id)
    assert "context_id" not in usage.labels
    assert usage.labels["component"] == "er\N{REPLACEMENT CHARACTER}gon"
    assert usage.labels["model"] == "m" * 256
    assert {**again, "metadata": {}} == {**odd, "metadata": {}}


def test_numbers_beyond_measure_are_kept_as_text() -> None:
    content = packed([record("a", metadata={"n": 12345.5})]).replace(b"12345.5", b"-1e400")
    [usage] = read_apollo({USAGE: content}).usages

    assert usage.metadata["apollo"]["metadata"] == {"n": "-inf"}


@pytest.mark.parametrize("depth", [300, 700])
def test_deep_metadata_costs_its_own_row_at_most(depth: int) -> None:
    content = packed([record("a", metadata={"n": 12345}), record("b")])
    deep = b'{"a":' * depth + b"1" + b"}" * depth
    store = read_apollo({USAGE: content.replace(b"12345", deep)})

    assert store.usages[-1].record_id == "b"
    assert len(store.usages) + len(store.faults) == 2


def test_files_are_told_by_their_names() -> None:
    store = read_apollo({"budget_data/" + USAGE: packed([record("a")]), "notes.txt": b"?"})

    assert is_apollo_file("data/apollo/budget_data/budget_policies.json")
    assert is_apollo_file("C:\\data\\usage_records_1.json")
    assert not is_apollo_file("usage_records_1.json.bak")
    assert len(store.usages) == 1
    assert [fault.where for fault in store.faults] == ["notes.txt"]


# --- the way back ------------------------------------------------------------------------------


def test_a_usage_that_was_never_apollos_becomes_a_record_of_each_kind_of_tokens() -> None:
    [read] = read_apollo({USAGE: packed([record("a")])}).usages
    live = ForeignUsage(
        "0199",
        read.at,
        {"component": "ergon", "model": "gpt-5"},
        input_tokens=70,
        output_tokens=30,
        metadata={"mine": 1},
        exported_from="0199",
    )

    written = write_apollo([live], ())
    rows = json.loads(list(written.files.values())[1])
    again = read_apollo(written.files)

    assert [(row["record_id"], row["usage_type"], row["tokens_used"]) for row in rows] == [
        ("0199:input", "input", 70),
        ("0199:output", "output", 30),
    ]
    assert rows[0]["provider"] == rows[0]["context_id"] == "unknown"
    assert rows[0]["task_type"] == "default"
    assert rows[0]["metadata"] == {"mine": 1, **exported_note("0199")}
    assert {usage.exported_from for usage in again.usages} == {"0199"}


def test_a_limit_that_apollo_cannot_say_is_left_out_and_named() -> None:
    [limit] = read_apollo({POLICIES: packed([policy("p")])}).limits

    written = write_apollo(
        (),
        [
            replace(limit, token_limit=None, cost_limit=Decimal(5)),
            replace(limit, period="yearly"),
            replace(limit, scope={"component": "ergon"}),
            replace(limit, scope={**limit.scope, "team": "a"}),
            limit,
        ],
    )

    assert written.policies == 1
    assert [fault.what.partition(":")[0] for fault in written.faults] == [
        "it limits no tokens, and Apollo limits nothing else",
        "Apollo has no period yearly",
        "it asks for no tier, and Apollo's policies are each of one",
        "it asks for team, and Apollo asks for tier, component, task_type only",
    ]
