"""Whatever goes wrong while an answer comes, what is held for it is not kept for ever."""

import httpx
import pytest
from tests.frontends.gateway.conftest import Gate
from tests.frontends.gateway.exact.crowd import asked, path_of

from tekton_budget.service.calls.ending import Endings

OURS = {"authorization": "Bearer sk-theirs"}


@pytest.mark.parametrize("stream", [False, True])
def test_a_fault_of_ours_lets_the_hold_end_by_time(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    async def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Endings, "settled", fails)
    with pytest.MonkeyPatch.context() as quiet:
        quiet.setattr("tekton_budget.frontends.gateway.app.log.exception", lambda *_, **__: None)
        try:
            gate.http.post(path_of("openai"), json=asked(most=64, stream=stream), headers=OURS)
        except httpx.TransportError:
            assert stream  # one that has begun breaks off
    assert gate.running.service.calls.endings.in_flight == 0
