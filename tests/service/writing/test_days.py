"""The zone in which days are cut: one a database, kept, and changed only together with its sums."""

from decimal import Decimal

import pytest
from sqlalchemy import text
from tests.service.writing.conftest import Clock

from tekton_budget.domain.answer import Recorded
from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.errors import BudgetError, InvalidInput, Unavailable
from tekton_budget.service.asking.asks import Used
from tekton_budget.settings import load_settings
from tekton_budget.wiring import Running, open_service, rezone_database

HOUR = 3600


def opened(url: str, clock: Clock, zone: str | None = None) -> Running:
    return open_service(load_settings(database_url=url, timezone=zone), clock=clock)


def use(running: Running, usd: str) -> Recorded:
    used = Used(cost=Decimal(usd))
    return running.service.ledger.record(LOCAL, used, labels={"team": "a", "run": "r"}).result()


def days(running: Running) -> dict[tuple[str, int], int]:
    query = "SELECT label, bucket_us, cost_nano FROM rollups WHERE kind = 'day'"
    with running.store.engine.connect() as connection:
        rows = connection.execute(text(query)).all()
    sums: dict[tuple[str, int], int] = {}
    for label, bucket_us, cost_nano in rows:
        sums[label, bucket_us] = sums.get((label, bucket_us), 0) + cost_nano
    return sums


def test_the_first_start_decides_and_a_default_follows(store_url: str, clock: Clock) -> None:
    with opened(store_url, clock, "Asia/Tokyo") as running:
        assert running.settings.timezone == "Asia/Tokyo"
    with opened(store_url, clock, "Asia/Tokyo"):
        pass
    with opened(store_url, clock) as running:
        assert running.settings.timezone == running.reader.timezone == "Asia/Tokyo"
        made = running.service.policies.create_policy(LOCAL, {"limit": "1usd/day"}).policy
        assert made.schedule.zone == "Asia/Tokyo"

    with pytest.raises(BudgetError) as refused:
        opened(store_url, clock, "UTC")
    assert refused.value.code == "timezone_differs"
    assert "BUDGET_TIMEZONE=Asia/Tokyo" in refused.value.detail
    assert "tekton-budget db rezone UTC" in refused.value.detail


def test_a_database_that_was_there_before_is_asked_at_its_next_start(
    store_url: str, clock: Clock
) -> None:
    with opened(store_url, clock) as running, running.store.engine.begin() as connection:
        connection.execute(text("UPDATE meta SET timezone = NULL"))
    with opened(store_url, clock, "Asia/Tokyo"):
        pass
    with opened(store_url, clock) as running:
        assert running.settings.timezone == "Asia/Tokyo"


def test_days_are_cut_anew_together_with_their_sums(store_url: str, clock: Clock) -> None:
    with opened(store_url, clock) as running:
        for usd in ("1", "2", "4", "8", "16"):
            use(running, usd)
            clock.pass_seconds(7 * HOUR)
        before = days(running)
    settings = load_settings(database_url=store_url)

    assert rezone_database(settings, "Asia/Kolkata") == 5

    with opened(store_url, clock, "Asia/Kolkata") as running:
        after = days(running)
        assert after != before
        assert sum(v for (label, _), v in after.items() if not label) == 31 * 10**9
        assert {at % (24 * HOUR * 10**6) for _, at in after} == {int(18.5 * HOUR * 10**6)}
        use(running, "32")
        assert not running.service.verifier.verify().findings
    assert rezone_database(settings, "UTC") == 6
    with opened(store_url, clock) as running:
        assert not running.service.verifier.verify().findings
    with pytest.raises(InvalidInput):
        rezone_database(settings, "Asia/Kolkatta")


def test_who_runs_on_in_the_old_zone_writes_no_more(store_url: str, clock: Clock) -> None:
    with opened(store_url, clock) as running:
        use(running, "1")
        rezone_database(running.settings, "Asia/Tokyo")
        for _ in range(2):
            with pytest.raises(Unavailable) as refused:
                use(running, "2")
            assert refused.value.code == "timezone_differs"
        with pytest.raises(Unavailable):
            running.service.policies.create_policy(LOCAL, {"limit": "1usd/day"})

    with opened(store_url, clock) as running:
        assert running.settings.timezone == "Asia/Tokyo"
        use(running, "2")
        assert sum(v for (label, _), v in days(running).items() if not label) == 3 * 10**9
        assert not running.service.verifier.verify().findings
