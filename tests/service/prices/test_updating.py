"""An update of prices takes over what is newer, and tells honestly what that changed."""

import json
from decimal import Decimal

import pytest
from tests.service.prices.test_price_book import CARD, cost_of, price_list

from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.errors import Forbidden
from tekton_budget.service.prices import ListSource, PriceUpdates
from tekton_budget.wiring import Running

OTHER = {**CARD, "model": "other"}


def updates(running: Running, *lists: tuple[str, str]) -> PriceUpdates:
    sources = tuple(
        ListSource("test", version, "2026-01-01", lambda text=text: text) for version, text in lists
    )
    reader = running.reader
    return PriceUpdates(running.service.prices, reader.book, reader.now_us, sources)


def test_a_newer_list_is_taken_and_its_changes_are_counted(running: Running) -> None:
    running.service.prices.take_list("9000.1", price_list("9000.1", CARD, OTHER))
    dearer = {**CARD, "rates": {"input": "9"}}
    new = {**CARD, "model": "new"}

    (found,) = updates(running, ("9000.2", price_list("9000.2", dearer, new))).update(LOCAL)

    assert (found.taken, found.prices_new, found.prices_changed) == (True, 1, 1)
    assert Decimal(cost_of(running)) == 9


def test_again_or_from_an_older_list_nothing_changes(quick: Running) -> None:
    text = price_list("9000.2", CARD)
    older = price_list("9000.1", {**CARD, "rates": {"input": "9"}})
    updates(quick, ("9000.2", text)).update(LOCAL)

    found = updates(quick, ("9000.2", text), ("9000.1", older)).update(LOCAL)

    assert [(one.taken, one.prices_changed) for one in found] == [(False, 0), (False, 0)]
    assert len(quick.service.book.ages()) == 1


def test_prices_set_by_hand_stay_before_a_list(quick: Running) -> None:
    quick.service.prices.set_price(LOCAL, "openai", "m", {"rates": {"input": "5"}})

    (found,) = updates(quick, ("9000", price_list("9000", CARD, OTHER))).update(LOCAL)

    assert found.prices_changed == 0
    assert Decimal(cost_of(quick)) == 5


def test_without_sources_nothing_is_asked(quick: Running) -> None:
    assert updates(quick).update(LOCAL) == ()


@pytest.mark.parametrize("role", [Role.CLIENT, Role.VIEWER])
def test_only_who_may_set_prices_may_update_them(quick: Running, role: Role) -> None:
    with pytest.raises(Forbidden):
        updates(quick).update(Caller("k", "k", role))
    with pytest.raises(Forbidden):
        updates(quick).update(Caller("k", "k", Role.ADMIN, {"team": "a"}))


def test_a_list_that_cannot_be_read_is_refused_and_changes_nothing(quick: Running) -> None:
    before = quick.service.book.ages()

    with pytest.raises(Exception, match="price-list"):
        updates(quick, ("9000", json.dumps({"format": "odd"}))).update(LOCAL)

    assert quick.service.book.ages() == before
