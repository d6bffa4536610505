"""Where a page goes on: only what a page before it said is taken."""

import base64

import pytest

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.service.paging import cursor_place


@pytest.mark.parametrize("json", ["9223372036854775808", "-9223372036854775809"])
def test_a_place_beyond_what_a_column_holds_is_refused(json: str) -> None:
    with pytest.raises(InvalidInput, match="next of the page before"):
        cursor_place(base64.urlsafe_b64encode(json.encode()).decode(), int)


def test_a_place_with_a_null_character_is_refused() -> None:
    with pytest.raises(InvalidInput, match="next of the page before"):
        cursor_place(base64.urlsafe_b64encode(b'["a\\u0000"]').decode(), tuple[str])
