"""Reads that many ask for at once: few are done, and each asker is told what was read afterwards."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tekton_budget.frontends.tekton.rhetor.shared import Shared

WAIT_SECONDS = 20


def test_who_asks_while_one_is_under_way_shares_the_next() -> None:
    shared, reads = Shared(), []
    began, may_end = threading.Event(), threading.Event()

    def first() -> int:
        reads.append("first")
        began.set()
        assert may_end.wait(WAIT_SECONDS)
        return 1

    def later() -> int:
        reads.append("later")
        return 2

    with ThreadPoolExecutor(11) as pool:
        one = pool.submit(shared.read, "key", first)
        assert began.wait(WAIT_SECONDS)
        many = [pool.submit(shared.read, "key", later) for _ in range(10)]
        other = shared.read("another key", lambda: 3)  # is not kept waiting
        while len(shared._next) == 0:
            pass  # until one of the ten has asked
        may_end.set()
        answers = [asked.result(WAIT_SECONDS) for asked in many]

    assert one.result() == 1
    assert answers == [2] * 10
    assert other == 3
    assert 2 <= len(reads) <= 11  # those that came after the shared read began had their own
    assert not shared._next


def test_nobody_is_told_what_was_read_before_they_asked() -> None:
    shared, counter = Shared(), iter(range(1, 10_000))
    lock, value = threading.Lock(), [0]

    def work(_: int) -> bool:
        with lock:
            value[0] = asked = next(counter)
        return shared.read("key", lambda: value[0]) >= asked

    with ThreadPoolExecutor(20) as pool:
        assert all(pool.map(work, range(2000)))


def test_a_read_that_fails_fails_for_those_who_share_it_and_not_for_the_next() -> None:
    shared = Shared()

    def fails() -> int:
        raise RuntimeError("away")

    with pytest.raises(RuntimeError, match="away"):
        shared.read("key", fails)
    assert shared.read("key", lambda: 1) == 1


def test_nothing_is_kept_of_what_was_read() -> None:
    shared = Shared()
    for number in range(100):
        assert shared.read(number, lambda number=number: number) == number
    with pytest.raises(ZeroDivisionError):
        shared.read("fails", lambda: 1 // 0)

    assert not shared._under_way
    assert not shared._next
