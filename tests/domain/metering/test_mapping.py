"""SDK objects are turned into plain ones, whichever word their SDK has for it."""

from collections import OrderedDict
from typing import Any, NamedTuple

import pytest

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.metering import as_mapping

BODY = {"usage": {"prompt_tokens": 1}}


class Dumped:
    def model_dump(self) -> dict[str, Any]:
        return BODY


class Said:
    model_dump = "no way to call it"

    def to_dict(self) -> dict[str, Any]:
        return BODY


class Spoilt:
    def model_dump(self) -> str:
        return "not an object"

    def dict(self) -> dict[str, Any]:
        return BODY


class Named(NamedTuple):
    usage: dict[str, int]


@pytest.mark.parametrize(
    "response", [BODY, OrderedDict(BODY), Dumped(), Said(), Spoilt(), Named(BODY["usage"])]
)
def test_an_object_is_its_names_and_values(response: object) -> None:
    assert as_mapping(response) == BODY


@pytest.mark.parametrize("response", [None, "{}", 3, [BODY], Dumped, object()])
def test_what_is_no_object_is_refused(response: object) -> None:
    with pytest.raises(InvalidInput, match=type(response).__name__) as refused:
        as_mapping(response)

    assert refused.value.code == "invalid_usage"
