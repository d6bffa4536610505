"""What was counted of a beginning bounds what goes on from it, as long as it is kept."""

import pytest

from tekton_budget.domain.call import Boundary
from tekton_budget.service.calls import measured
from tekton_budget.service.calls.measured import Measured

OWNER = ("alice", "openai", "gpt-4o")
FIRST, SECOND, THIRD = (Boundary(name, size) for name, size in ((b"1", 90), (b"2", 95), (b"3", 99)))


def test_the_tightest_of_what_is_known_bounds_and_the_rest_counts_by_its_size() -> None:
    known = Measured()
    assert known.bound(OWNER, [FIRST, SECOND], 100) is None
    known.learn(OWNER, FIRST, 20)
    assert known.bound(OWNER, [FIRST, SECOND], 100) == 20 + 10
    known.learn(OWNER, SECOND, 22)
    assert known.bound(OWNER, [FIRST, SECOND, THIRD], 100) == 22 + 5
    assert known.bound(OWNER, [FIRST, SECOND], 100) == 22  # the very same
    known.learn(OWNER, SECOND, 70)
    assert known.bound(OWNER, [FIRST, SECOND], 100) == 20 + 10
    assert known.bound(("bob", "openai", "gpt-4o"), [FIRST], 100) is None


def test_the_one_that_was_told_longest_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "KEPT_MAX", 2)
    known = Measured()
    for boundary in (FIRST, SECOND, FIRST, THIRD):
        known.learn(OWNER, boundary, 10)

    assert known.bound(OWNER, [SECOND], 100) is None
    assert known.bound(OWNER, [FIRST], 100) == known.bound(OWNER, [THIRD], 100) == 10
    assert known.knows(OWNER, [SECOND, FIRST])
    assert not known.knows(OWNER, [FIRST, SECOND])
    assert not known.knows(OWNER, [])
