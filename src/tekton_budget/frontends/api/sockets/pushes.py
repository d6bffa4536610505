"""Pushes: what is told on each topic, made of events and of how budgets stand by now."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from tekton_budget.domain.caller import Caller
from tekton_budget.domain.errors import BudgetError, NotFound
from tekton_budget.domain.event import EventType
from tekton_budget.frontends.api.bodies.answers import to_api_allocation
from tekton_budget.frontends.api.bodies.balances import to_api_summaries
from tekton_budget.frontends.api.bodies.prices import to_api_price
from tekton_budget.frontends.api.sockets.messages import MessageType
from tekton_budget.frontends.api.sockets.topics import (
    ALERTS,
    ALLOCATIONS,
    BUDGETS,
    PRICES,
    topics_of,
)
from tekton_budget.frontends.http.alerts import to_api_alert
from tekton_budget.service import Service
from tekton_budget.service.following import Logged

PERIODS = ("daily", "weekly", "monthly")  # which the dashboard's cards show
_POLICY = "policy."


@dataclass(frozen=True, slots=True)
class Push:
    """One message that nobody asked for."""

    type: MessageType
    topic: str
    payload: dict[str, object]
    position: int | None = None  # of the last event that it tells of


@dataclass(frozen=True, slots=True)
class Pushed:
    """Messages at once, and budgets that were touched (`None`: several, or none)."""

    messages: tuple[Push, ...]
    touched: frozenset[str | None]


class Pushes:
    """Reads what messages tell, as far as a key may see it; waits for the store."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def of_events(
        self, caller: Caller, joined: Collection[str], events: Sequence[Logged]
    ) -> Pushed:
        """What some events are told as; of an allocation that was met twice only the last state."""
        found: list[Push] = []
        touched: set[str | None] = set()
        allocations: dict[tuple[str | None, str], int] = {}
        for event in events:
            topics = topics_of(event.type, joined)
            if ALLOCATIONS in topics:
                allocations[event.key_id, event.subject_id] = event.position
            if ALERTS in topics:
                found += self._alert(caller, event)
            if PRICES in topics:
                found += self._price(event)
            if BUDGETS in topics:
                touched.add(event.budget_id or None)
                if event.type.startswith(_POLICY):
                    found.append(_policy(event))
        found += self._allocations(caller, allocations)
        found.sort(key=lambda push: push.position or 0)
        return Pushed(tuple(found), frozenset(touched))

    def of_budget(self, caller: Caller, budget_id: str | None) -> dict[str, object] | None:
        """How a budget stands, or all together; nothing where that is not this key's to see."""
        try:
            found = self._service.overview.summaries(caller, PERIODS, budget_id)
        except NotFound:
            return None
        if not found:
            return None
        return {
            "budget_id": budget_id,
            "summary": to_api_summaries(found[:1], in_percent=False)[0],
            "summaries": to_api_summaries(found, in_percent=True),
        }

    def of_period(self, caller: Caller, period: str) -> dict[str, object]:
        """How the policies of a period stand; and under its name the first of them in brief."""
        found = self._service.overview.summaries(caller, [period])
        shown = to_api_summaries(found, in_percent=True)
        brief = {name: shown[0][name] for name in ("spent", "limit")} if shown else {}
        return {"period": period, "summaries": shown, period: brief}

    def _allocations(
        self, caller: Caller, wanted: dict[tuple[str | None, str], int]
    ) -> Iterator[Push]:
        for allocation in self._service.lists.allocations_called(caller, list(wanted)):
            position = wanted.get((allocation.key_id, allocation.id))
            if position is None:
                position = wanted.get((None, allocation.id))
            shown = to_api_allocation(allocation)
            payload: dict[str, object] = {"allocation_id": allocation.id, "allocation": shown}
            yield Push(MessageType.ALLOCATION_UPDATE, ALLOCATIONS, payload, position)

    def _alert(self, caller: Caller, event: Logged) -> Iterator[Push]:
        view = self._service.alerts.of_event(caller, event)
        if view is not None:
            alert = to_api_alert(view)
            payload = {**alert, "alerts": [alert]}
            yield Push(MessageType.ALERT, ALERTS, payload, event.position)

    def _price(self, event: Logged) -> Iterator[Push]:
        provider, model = event.payload.get("provider"), event.payload.get("model")
        update: object = event.payload
        if event.type == EventType.PRICE_SET and isinstance(model, str):
            try:
                cards = self._service.book.history(provider, model)
            except BudgetError:  # by now another list has taken its place
                return
            own = [card for card in cards if card.price_id == event.subject_id]
            update = to_api_price((own or cards)[-1])
        payload = {"provider": provider, "model": model, "update": update}
        yield Push(MessageType.PRICE_UPDATE, PRICES, payload, event.position)


def _policy(event: Logged) -> Push:
    payload: dict[str, object] = {
        "policy_id": event.subject_id,
        "budget_id": event.budget_id or None,
        "change": event.type.removeprefix(_POLICY),
    }
    return Push(MessageType.POLICY_UPDATE, BUDGETS, payload, event.position)
