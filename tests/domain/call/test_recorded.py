"""No recorded call read more, or wrote more, than its request was bound to."""

import pytest
from tests.providers.recorded import NAMES, recording

from tekton_budget.domain.call import Api, read_request

WHOLE = [name for name in NAMES if recording(name).is_whole and ".count" not in name]


@pytest.mark.parametrize("name", WHOLE)
def test_a_recorded_call_stayed_within_its_bound(name: str) -> None:
    told = recording(name)
    need = read_request(Api(told.api), told.request, model=told.model, stream=bool(told.frames))

    assert told.charge.read <= need.input_tokens
    assert need.max_output is None or told.charge.output <= need.max_output
    assert need.stream is bool(told.frames)


def test_there_are_recorded_calls_of_the_apis_that_write() -> None:
    assert {recording(name).api for name in WHOLE} == {
        "openai.chat", "openai.responses", "anthropic.messages", "gemini.generate",
    }  # fmt: skip
