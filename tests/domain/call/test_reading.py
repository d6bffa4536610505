"""A request is read into bounds."""

import pytest

from tekton_budget.domain.call import UNMETERED, Api, read_request, sent_upstream
from tekton_budget.domain.errors import InvalidInput

CHAT = {"model": "gpt-5", "messages": [{"role": "user", "content": "Grüße"}], "max_tokens": 50}
CLAUDE = {**CHAT, "model": "claude-sonnet-4-5", "system": "Be brief."}


@pytest.mark.parametrize(
    ("api", "body"), [(Api.OPENAI_CHAT, CHAT), (Api.ANTHROPIC_MESSAGES, CLAUDE)]
)
def test_text_counts_by_its_bytes(api: Api, body: dict) -> None:
    need = read_request(api, body)

    assert need.model == body["model"]
    assert need.max_output == 50
    assert 7 < need.input_tokens < 250
    assert len(need.boundaries) == 1


def test_an_unknown_field_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="grand_total") as refusal:
        read_request(Api.OPENAI_CHAT, {**CHAT, "grand_total": 1})

    assert refusal.value.code == UNMETERED


def test_what_changes_nothing_is_the_same_object() -> None:
    need = read_request(Api.OPENAI_CHAT, CHAT)

    assert sent_upstream(need, CHAT, max_output=50) is CHAT
    assert sent_upstream(need, CHAT, max_output=20) == {**CHAT, "max_tokens": 20}
