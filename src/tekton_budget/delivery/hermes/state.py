"""How we stand with Hermes, for whoever asks."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HermesState:
    """Times are µs since 1970, by this host's clock.

    `registered`: Hermes knows us, and answered when last asked. `last_error` says what went wrong
    last, and is gone as soon as things go well again. The numbers count since the start.
    """

    url: str
    component_id: str
    enabled: bool = True
    layout: str | None = (
        None  # "/api" or "": where Hermes has its routes; unknown before it answers
    )
    registered: bool = False
    since_us: int | None = None
    last_heartbeat_us: int | None = None
    last_error: str | None = None
    next_try_us: int | None = None
    tools: int = 0
    registrations: int = 0
    heartbeats: int = 0
    errors: int = 0
