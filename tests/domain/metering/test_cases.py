"""Recorded and constructed bodies of every API come out in the units that their cost is made of."""

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.domain.metering.reading import units_of

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.metering import read_response

CASES = Path(__file__).parents[4] / "shared" / "prices" / "cost-cases.json"
CODES = {"invalid usage": "invalid_usage", "missing usage": "missing_usage"}
# Google sells pictures and video that it reads at the rate of text: its cards fold these units.
FOLDED = {"input_image": "input", "input_video": "input", "cache_image_read": "cache_read"}
# What this amount was told by is a gateway, not the provider.
NOT_BY_THE_PROVIDER = {"bed-006"}


def cases() -> list[Any]:
    if not CASES.is_file():
        return [pytest.param(None, id="the cost cases are not beside the repository")]
    found = json.loads(CASES.read_text(), parse_float=Decimal)["cases"]
    return [pytest.param(case, id=case["id"]) for case in found]


def expected(case: dict[str, Any]) -> dict[str, int]:
    components = case["expected"]["components"]
    return {
        one["unit"]: one["quantity"]
        for one in components
        if one["quantity"] and one["unit"] != "request"
    }


@pytest.fixture
def case(request: pytest.FixtureRequest) -> dict[str, Any]:
    if request.param is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{CASES} is not there: no case was read", pytrace=False)
        pytest.skip(f"{CASES} is not there: no case was read")
    return request.param


@pytest.mark.parametrize("named", [True, False], ids=["api named", "by shape"])
@pytest.mark.parametrize("case", cases(), indirect=True)
def test_a_case_is_read_into_the_units_of_its_cost(case: dict[str, Any], named: bool) -> None:
    by_shape = None if case["api"] != "google.batch" else case["api"]  # only the word tells a batch
    ask = {
        "api": case["api"] if named else by_shape,
        "provider": case["provider"],
        "context": case.get("context"),
        "model": case["model"],
    }
    code = CODES.get(case["expected"].get("error"))
    if code is not None:
        with pytest.raises(InvalidInput) as refused:
            read_response(case["response"], **ask)
        assert refused.value.code == code
        return
    metered = read_response(case["response"], **ask)
    found = units_of(metered.parts)
    if case["provider"] == "google":
        for unit, rate in FOLDED.items():
            if unit in found:
                found[rate] = found.get(rate, 0) + found.pop(unit)

    if "components" in case["expected"]:  # a model that no one knows is measured all the same
        assert found == expected(case)
    billed = case["expected"].get("billed_by_provider_usd")
    if billed and case["id"] not in NOT_BY_THE_PROVIDER:
        assert metered.billed_usd == Decimal(billed)
    assert metered.model == (
        case["response"].get("model") or case["response"].get("modelVersion") or None
    )
