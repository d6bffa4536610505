"""How many tokens a text may have, where nobody has counted them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tekton_budget.domain.text_tokens import estimated_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("hello world", 4),  # as Rhetor counts it
        ("a" * 500, 126),
        ("日本語のテキスト", 7),  # one word to Rhetor, and two for its letters
        ("\ud800", 1),
    ],
)
def test_words_and_a_quarter_of_the_bytes(text: str, tokens: int) -> None:
    assert estimated_tokens(text) == tokens


@given(st.text(), st.text())
def test_more_text_is_never_fewer_tokens(one: str, more: str) -> None:
    assert 0 <= estimated_tokens(one) <= estimated_tokens(f"{one} {more}")
