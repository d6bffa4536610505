"""The provider's own count of an input, asked for where the byte bound does not fit."""

import pytest
from google import genai
from google.genai import types
from tests.frontends.gateway.conftest import Gate
from tests.frontends.gateway.sdks import sdks


def test_of_a_stream_of_google_it_is_asked_for_as_a_whole_answer(gate: Gate) -> None:
    gate.limit("0.001usd/day", name="day")
    config = types.GenerateContentConfig(max_output_tokens=20)
    with sdks(gate.url) as to, pytest.raises(genai.errors.ClientError):
        list(
            to.google.models.generate_content_stream(
                model="gemini-2.5-flash", contents="word " * 6_000, config=config
            )
        )
    [counted] = gate.mock.requests
    assert counted.path.endswith(":countTokens")
    assert counted.query == "alt=json"
