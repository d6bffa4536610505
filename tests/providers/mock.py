"""The mock provider's registers: what it plays, who may call it, what reached it."""

import asyncio
from collections import deque

from tests.providers.bill import Bill
from tests.providers.scenario import Scenario
from tests.providers.wire import Request, World

REQUESTS_KEPT = 200


class MockProvider:
    """Its registers may be written from any thread."""

    def __init__(self) -> None:
        self.url = ""
        self.bill = Bill()
        self.world = World()
        self.default = Scenario()
        self.keys: set[str] | None = None  # None: any key is right, none is not
        self.requests: deque[Request] = deque(maxlen=REQUESTS_KEPT)
        self.connections: set[asyncio.Transport] = set()
        self._played: dict[str, list[Scenario]] = {}

    def plays(self, model: str, *scenarios: Scenario) -> None:
        """For requests of this model, one after the other; the last one stays."""
        self._played[model] = list(scenarios)

    def clear(self) -> None:
        self.bill.clear()
        self.requests.clear()
        self._played.clear()
        self.world = World()
        self.default = Scenario()

    def scenario(self, request: Request, model: str | None) -> Scenario:
        told = request.headers.get("x-mock")
        if told:
            return Scenario.of(told)
        several = self._played.get(model or "")
        if not several:
            if model and model.startswith("recorded:"):
                return Scenario(recording=model.removeprefix("recorded:"))
            return self.default
        return several.pop(0) if len(several) > 1 else several[0]
