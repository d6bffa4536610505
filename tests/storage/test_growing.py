"""Growth and long lives in the store: written once, found again, in few statements."""

from tests.storage.conftest import Clock
from tests.storage.workbench import Bench, allocate, nano, release, settle

from tekton_budget.domain.amounts import NOTHING, Amounts
from tekton_budget.domain.answer import Denial, Ended, Grant, Kept
from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.command import Allocate, Extend, Fit, KeepAlive
from tekton_budget.domain.further import further_of
from tekton_budget.domain.units import PriceContext
from tekton_budget.storage.session import Session
from tekton_budget.storage.store import Store

HOUR_US = 3600 * 10**6


def grow(id_: str, cost: str, tokens: int = 100, name: str = "", **fields: object) -> Extend:
    content = f'{{"cost": "{cost}", "tokens": {tokens}}}'
    name = name or f"x-{id_}-{cost}-{tokens}"
    return Extend(name, LOCAL, content, id_, tokens=tokens, cost_nano=nano(cost), **fields)


def test_what_grew_is_found_again_by_another_process(store_url: str, clock: Clock) -> None:
    with Bench(store_url, clock=clock) as first, Bench(store_url, clock=clock) as second:
        policy = first.policy("purse", "10usd/day")
        stated = further_of({"image": 2, "input_audio": 5}, PriceContext("flex"), "1h")
        first.run(allocate("one", 1, further=stated))
        once = first.run(grow("one", "2"))
        again = second.run(grow("one", "2"))
        more = second.run(grow("one", "9.5", 200))

        assert again == once
        assert (once.granted, more.granted) == ((105, nano(2), 1), (205, nano("9.5"), 1))
        assert isinstance(second.run(grow("one", "10.5", 200)), Denial)
        assert isinstance(second.run(allocate("two", 1)), Denial)
        assert second.balance(policy).held.cost_nano == nano("9.5")
        first.check()
        first.run(settle("one", 1))
        assert second.balance(policy).held == NOTHING
        second.check()


def test_a_call_is_asked_for_grows_and_ends_in_one_batch(bench: Bench) -> None:
    policy = bench.policy("purse", "10usd/day")
    made = bench.together(
        allocate("one", 4),
        grow("one", "6"),
        grow("one", "99", fit=Fit.CLAMP),
        grow("one", "7", lifetime_us=HOUR_US),
        grow("one", "7", lifetime_us=HOUR_US),
        allocate("one", 4),
    )
    later = bench.together(grow("one", "8"), grow("one", "10"), settle("one", 1))

    assert [type(answer) for answer in made] == [Grant, Ended, Denial, Ended, Ended, Grant]
    assert made[3] == made[4]
    assert made[5] == made[0]
    assert [answer.granted for answer in later[:2]] == [(100, nano(8), 1), (100, nano(10), 1)]
    assert bench.balance(policy).spent == Amounts(80, nano(1), 1)
    assert bench.rows("SELECT granted_cost_nano, max_output_tokens FROM allocations") == [
        (nano(10), None)
    ]
    bench.check()


def test_one_that_is_due_is_not_ended_by_its_own_denial(bench: Bench, clock: Clock) -> None:
    bench.policy("purse", "10usd/day")
    bench.run(allocate("one", 1, lifetime_us=HOUR_US))
    bench.run(allocate("two", 8, lifetime_us=HOUR_US))
    clock.now_us += 2 * HOUR_US

    assert isinstance(bench.run(grow("one", "11")), Denial)
    assert isinstance(bench.run(grow("one", "10")), Ended)
    assert bench.rows("SELECT id, status FROM allocations ORDER BY id") == [
        ("one", "active"),
        ("two", "expired"),
    ]
    bench.check()


def test_what_was_granted_before_it_was_kept_how_does_not_grow(bench: Bench) -> None:
    bench.policy("purse", "10usd/day")
    bench.run(allocate("one", 1))
    bench.rows("UPDATE allocations SET stated = NULL RETURNING id")

    assert bench.run(grow("one", "2")).code == "cannot_grow"
    assert isinstance(bench.run(settle("one", 1)), Ended)


def test_many_live_on_at_once_and_those_that_ended_do_not(bench: Bench, clock: Clock) -> None:
    bench.policy("purse", "10usd/day")
    for id_ in ("a", "b", "c"):
        bench.run(allocate(id_, 1, lifetime_us=HOUR_US))
    bench.run(release("b"))
    entries = len(bench.rows("SELECT no FROM journal"))
    clock.now_us += HOUR_US // 2
    keys = tuple(("", id_) for id_ in ("a", "b", "c", "d"))
    kept = bench.run(KeepAlive("k", LOCAL, allocations=keys, lifetime_us=HOUR_US))
    none = bench.run(KeepAlive("k", LOCAL, allocations=keys[1:2], lifetime_us=HOUR_US))

    assert (kept, none) == (Kept(2), Kept(0))
    assert bench.rows(f"SELECT id, expires_us - {clock.now_us} FROM allocations WHERE status = 'active' ORDER BY id") == [
        ("a", HOUR_US),
        ("c", HOUR_US),
    ]  # fmt: skip
    assert len(bench.rows("SELECT no FROM journal")) == entries + 1
    bench.check()


def test_a_batch_of_growing_streams_takes_no_more_statements_than_one(sqlite_url: str) -> None:
    counted: list[int] = []

    def watched(store: Store) -> Session:
        session = store.connect()
        fetch, append = session.fetch, session.append
        session.fetch = lambda queries: counted.append(len(queries)) or fetch(queries)
        session.append = lambda writes: counted.append(len(writes)) or append(writes)
        return session

    with Bench(sqlite_url, connect=watched) as bench:
        bench.policy("purse", "10usd/day")
        bench.together(*[Allocate(f"a{n}", LOCAL, "{}", cost_nano=1) for n in range(20)])
        more = [Extend(f"x{n}", LOCAL, "{}", f"a{n}", cost_nano=2) for n in range(20)]
        counted.clear()
        bench.run(more[0])
        alone = counted.copy()
        counted.clear()
        bench.together(*more[1:])

        assert len(alone) >= 2
        assert counted == alone
