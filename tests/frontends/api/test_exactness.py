"""Numbers, names and times over HTTP: exact in, exact out, whatever a client writes."""

import re
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.frontends.api.conftest import Door, problem

from tekton_budget.domain.errors import BudgetError
from tekton_budget.frontends.api import quick as quickly
from tekton_budget.frontends.api.bodies import spending
from tekton_budget.frontends.api.bodies.spending_bodies import AllocationOut, GrantOut
from tekton_budget.frontends.http import wire

AMOUNTS = ["0.1", "123456789.123456789", "0.000000001", "3", "100", "0.3", "1e2", "1.10"]


@pytest.mark.parametrize("amount", AMOUNTS)
def test_money_comes_back_with_all_its_digits(quick: Door, amount: str) -> None:
    body = f'{{"name":"p","period":"total","cost_limit":{amount}}}'.encode()

    assert quick.post("/policies", body)["cost_limit"] == Decimal(amount)


def test_money_may_be_sent_as_text(quick: Door) -> None:
    made = quick.post("/policies", {"period": "total", "cost_limit": "123456789.123456789"})

    assert made["cost_limit"] == Decimal("123456789.123456789")


def test_no_number_has_an_exponent(quick: Door) -> None:
    quick.post("/policies", {"period": "total", "cost_limit": "0.000000002"})
    answer = quick.http.post("/api/v1/allocations", json={"cost": "0.000000001"})

    assert b'"estimated_cost":0.000000001' in answer.content
    assert not re.search(rb":-?[0-9.]+[eE]", answer.content)


def test_a_hold_is_rounded_up_and_a_usage_half_to_even(quick: Door) -> None:
    asked = quick.post("/allocations", b'{"cost":0.0000000001}')
    ended = quick.post(
        f"/allocations/{asked['allocation_id']}/settle", b'{"cost":0.0000000005}', 200
    )

    assert asked["estimated_cost"] == Decimal("0.000000001")
    assert ended["cost"] == 0


def test_sums_of_thirds_of_a_cent_are_exact(quick: Door) -> None:
    quick.post("/policies", {"name": "all", "limit": "1usd/day"})
    for _ in range(3):
        asked = quick.post("/allocations", b'{"cost":0.1}')
        quick.post(f"/allocations/{asked['allocation_id']}/settle", b'{"cost":0.1}', 200)

    spent = quick.get("/policies/all/groups")["items"][0]["spent"]["cost"]
    assert spent == Decimal("0.3")


def test_names_may_be_in_camel_case_but_not_peoples_own(quick: Door) -> None:
    made = quick.post(
        "/allocations",
        {
            "contextId": "c1",
            "taskType": "chat",
            "inputTokens": 3,
            "maxOutputTokens": 4,
            "lifetimeSeconds": 60,
            "labels": {"myLabel": "x"},
            "metadata": {"camelCase": {"innerName": 0.25}},
        },
    )

    assert made["context_id"] == "c1"
    assert made["tokens_allocated"] == 7
    assert made["labels"]["myLabel"] == "x"
    assert made["metadata"] == {"camelCase": {"innerName": Decimal("0.25")}}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed_json"),
        (b"", 422, "invalid"),
        (b"[]", 422, "invalid"),
        (b'"x"', 422, "invalid"),
        (b"null", 422, "invalid"),
        (b'{"limit": NaN}', 400, "malformed_json"),
        (b'{"limit": "1usd", "metadata": {"a": "\xff"}}', 400, "malformed_json"),
        (b'{"name": "a\\u0000b", "limit": "1usd"}', 422, "invalid"),
        (b'{"name": "\\ud800", "limit": "1usd"}', 400, "malformed_json"),
        (b'{"cost_limit": 1e999999999, "period": "total"}', 422, "invalid"),
        (b'{"cost_limit": 1' + b"0" * 500 + b', "period": "total"}', 422, "invalid"),
        (b'{"token_limit": 1.5, "period": "total"}', 422, "invalid"),
        (b'{"token_limit": true, "period": "total"}', 422, "invalid"),
        (b'{"cost_limit": true, "period": "total"}', 422, "invalid"),
        (b'{"cost_limit": "ten", "period": "total"}', 422, "invalid"),
        (b'{"cost_limit": -1, "period": "total"}', 422, "invalid"),
        (
            b'{"limit": "1usd", "metadata": ' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}",
            422,
            "invalid",
        ),
    ],
)
def test_what_is_no_use_is_refused_by_name(
    quick: Door, body: bytes, status: int, code: str
) -> None:
    answer = quick.http.post(
        "/api/v1/policies", content=body, headers={"content-type": "application/json"}
    )

    problem(answer, status, code)


@pytest.mark.parametrize("path", ["/allocations", "/policies"])
def test_a_field_in_two_spellings_is_refused(quick: Door, path: str) -> None:
    answer = quick.http.post(
        f"/api/v1{path}", json={"cost": 1, "limit": "1usd", "minGrant": 1, "min_grant": 2}
    )

    assert problem(answer, 422, "invalid")["fields"][0]["field"] == "min_grant"


def test_a_whole_number_may_be_written_as_a_fraction(quick: Door) -> None:
    assert quick.post("/policies", b'{"period":"total","token_limit":5.0}')["token_limit"] == 5


def test_times_are_rfc_3339_with_an_offset(quick: Door) -> None:
    made = quick.post(
        "/policies",
        {
            "limit": "1usd/day",
            "timezone": "Europe/Berlin",
            "startsAt": "2027-01-01T00:00:00+01:00",
            "ends_at": "2027-06-01T00:00:00Z",
        },
    )

    assert made["starts_at"] == "2026-12-31T23:00:00+00:00"
    assert made["start_date"] == made["starts_at"]
    assert made["ends_at"] == "2027-06-01T00:00:00+00:00"
    resets = quick.get(f"/policies/{made['policy_id']}/groups")["items"][0]["resets_at"]
    assert resets.endswith(("+01:00", "+02:00"))


@pytest.mark.parametrize("text", ["tomorrow", "2027-13-01", 1790000000, "0001-01-01T00:00:00Z"])
def test_what_is_no_time_is_refused(quick: Door, text: object) -> None:
    answer = quick.http.post("/api/v1/policies", json={"limit": "1usd/day", "starts_at": text})

    assert problem(answer, 422, "invalid")["fields"][0]["field"] == "starts_at"


# --- the quick look and the full check say the same -----------------------------------------------

# A busy machine takes long to make the first example; that says nothing of the code.
_unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
_names = [*spending.ASK_FIELDS, *spending.LABEL_OF, "allocation_id", "dry_run", "labels", "odd"]
_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2000),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-1, max_value=9),
    st.text("ab\0é ", max_size=4),
    st.dictionaries(
        st.sampled_from(["team", "x", "model"]), st.text("ab\0é ", max_size=2), max_size=2
    ),
)
_bodies = st.dictionaries(
    st.sampled_from(_names + [wire.in_camel_case(name) for name in _names]), _values, max_size=6
)


@_unhurried
@given(body=_bodies, key=st.sampled_from([None, "k", "q"]))
def test_an_ask_read_quickly_is_the_ask_read_with_care(
    body: dict[str, Any], key: str | None
) -> None:
    found = quickly.ask_of(body, key)

    if found is not None:
        assert found == spending.asked_of(wire.in_snake_case(body), key)


_used_names = [*spending.USED_FIELDS, *spending.LABEL_OF, "record_id", "labels", "odd"]
_used = st.dictionaries(
    st.sampled_from(_used_names + [wire.in_camel_case(name) for name in _used_names]),
    _values,
    max_size=6,
)


@_unhurried
@given(body=_used, key=st.sampled_from([None, "k", "q"]))
def test_a_settle_read_quickly_is_the_settle_read_with_care(
    body: dict[str, Any], key: str | None
) -> None:
    found = quickly.settle_of(body, "a", key)

    if found is not None:
        assert found == spending.settle_of(wire.in_snake_case(body), "a", key)


def test_most_asks_take_the_quick_way() -> None:
    body = {"team": "a", "maxOutputTokens": 5, "labels": {"x": "y"}, "cost": Decimal("0.1")}

    assert quickly.ask_of(body, None) is not None
    assert quickly.settle_of({"input_tokens": 5, "cost": 1}, "a", None) is not None


@given(st.integers(-(10**19), 10**19))
def test_usd_is_written_exactly(cost_nano: int) -> None:
    written = wire.usd(cost_nano)

    assert written is not None
    text = bytes(written).decode()
    assert Decimal(text) == Decimal(cost_nano).scaleb(-9)
    assert "e" not in text.lower()


@given(st.integers(0, 250_000_000_000_000_000))
def test_a_time_is_read_back_as_it_was_written(at_us: int) -> None:
    for zone in ("UTC", "America/New_York"):
        assert wire.us_from_text(wire.time_text(at_us, zone)) == at_us


def test_what_is_documented_is_what_is_answered(quick: Door) -> None:
    made = quick.post("/allocations", {"cost": 1, "model": "m"})
    found = quick.get(f"/allocations/{made['allocation_id']}")

    needed = {name for name, field in GrantOut.model_fields.items() if field.is_required()}
    assert needed <= set(made) <= set(GrantOut.model_fields)
    assert set(found) == set(AllocationOut.model_fields)


def test_a_refusal_from_reading_is_one_of_ours() -> None:
    with pytest.raises(BudgetError):
        wire.decode(b'{"a":1e99999999999}')
    assert msgspec.json.decode(wire.encode({"a": wire.number(Decimal("1E+3"))})) == {"a": 1000}
