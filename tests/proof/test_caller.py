"""Callers note what they send and hear, and act as their turns say."""

import time
from pathlib import Path

import pytest

from tekton_budget.proof.adapter import Granted
from tekton_budget.proof.call_log import CallLog, Heard, Verb, read_calls
from tekton_budget.proof.caller import play
from tekton_budget.proof.turns import SECOND_NS, Ending, Turn


class Scripted:
    """Answers as it is told."""

    def __init__(self, *answers: Granted | Exception | None) -> None:
        self.answers = list(answers)
        self.leasts: list[int] = []

    def reserve(self, amount: int, id: str, group: str) -> Granted | None:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def settle(self, id: str, real: int) -> None:
        if real == 13:
            raise OSError("unlucky\nnumber")

    def release(self, id: str) -> None:
        pass

    def spent(self, group: str) -> int:
        return 100


class Clamped(Scripted):
    def reserve_up_to(self, amount: int, id: str, group: str, least: int) -> Granted | None:
        self.leasts.append(least)
        return self.reserve(amount, id, group)


def played(adapter: Scripted, *turns: Turn, folder: Path, seconds: float = 5) -> list[tuple]:
    path = folder / "calls.log"
    log = CallLog(path)
    now_ns = time.monotonic_ns()
    play(adapter, turns, log, start_ns=now_ns, stop_ns=now_ns + int(seconds * SECOND_NS))
    log.close()
    return [(c.verb, c.id, c.amount, c.heard, c.granted, c.error) for c in read_calls([path])]


@pytest.mark.parametrize(
    ("turn", "answer", "ending"),
    [
        (Turn("a", 50, 30), Granted("a", 50), [(Verb.SETTLE, "a", 30, Heard.DONE, 0, "")]),
        (Turn("a", 50, 30), Granted("a", 20), [(Verb.SETTLE, "a", 20, Heard.DONE, 0, "")]),
        (Turn("a", 50, 30, ending=Ending.RELEASE), Granted("a", 50), [(Verb.RELEASE, "a", 0, Heard.DONE, 0, "")]),
        (Turn("a", 50, 30, ending=Ending.VANISH), Granted("a", 50), []),
        (Turn("a", 50, 13), Granted("a", 50), [(Verb.SETTLE, "a", 13, Heard.FAILED, 0, r"OSError('unlucky\nnumber')")]),
    ],
)  # fmt: skip
def test_a_turn_ends_as_it_says(turn: Turn, answer: Granted, ending: list, tmp_path: Path) -> None:
    asked = (Verb.RESERVE, "a", 50, Heard.GRANTED, answer.amount, "")

    assert played(Scripted(answer), turn, folder=tmp_path) == [asked, *ending]


def test_what_a_system_raises_is_noted_and_the_next_turn_comes(tmp_path: Path) -> None:
    calls = played(
        Scripted(OSError("away"), None), Turn("a", 1, 1), Turn("b", 1, 1), folder=tmp_path
    )

    assert calls == [
        (Verb.RESERVE, "a", 1, Heard.FAILED, 0, "OSError('away')"),
        (Verb.RESERVE, "b", 1, Heard.DENIED, 0, ""),
    ]


def test_nobody_begins_when_time_is_up(tmp_path: Path) -> None:
    assert played(Scripted(), Turn("a", 1, 1), folder=tmp_path, seconds=0) == []


def test_who_is_patient_makes_do_with_less_and_looks_whether_anything_is_left(
    tmp_path: Path,
) -> None:
    patient = Turn("a", 1024, 9, patience_ns=60 * SECOND_NS, least=64, enough=101)
    adapter = Clamped(*[None] * 9, Granted("a", 32))

    calls = played(adapter, patient, folder=tmp_path, seconds=60)

    assert adapter.leasts == [64] * 8 + [32] * 2
    assert [call[3] for call in calls] == [Heard.DENIED] * 9 + [Heard.GRANTED, Heard.DONE]

    nothing_left = Turn("b", 1024, 9, patience_ns=60 * SECOND_NS, least=64, enough=100)
    (tmp_path / "calls.log").unlink()
    calls = played(Clamped(*[None] * 9), nothing_left, folder=tmp_path, seconds=60)

    assert [call[3] for call in calls] == [Heard.DENIED] * 3


def test_who_cannot_clamp_is_asked_for_the_whole(tmp_path: Path) -> None:
    adapter = Scripted(None)

    assert played(adapter, Turn("a", 1024, 9, least=16), folder=tmp_path)
    assert read_calls([tmp_path / "calls.log"])[0].least == 1024


def test_a_line_that_a_kill_cut_off_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "calls.log"
    log = CallLog(path)
    log.heard(log.sent(Verb.RESERVE, "a", "", 5), Heard.GRANTED, 5)
    log.sent(Verb.SETTLE, "a", "", 5)
    log.close()
    with path.open("a") as file:
        file.write("<\t1\tdo")

    calls = read_calls([path, tmp_path / "never-written.log"])

    assert [(call.verb, call.heard, call.answered_ns is None) for call in calls] == [
        (Verb.RESERVE, Heard.GRANTED, False),
        (Verb.SETTLE, None, True),
    ]
