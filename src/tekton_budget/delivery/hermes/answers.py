"""What comes of speaking to Hermes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Registered:
    """It knows us; the token is good for so long."""

    component_id: str
    token: str
    lifetime_seconds: float


@dataclass(frozen=True, slots=True)
class Taken:
    """It took the heartbeat, or the farewell."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Whether its listing has us, and whether another live service stands under our first id."""

    has_us: bool
    is_occupied: bool = False


@dataclass(frozen=True, slots=True)
class Offered:
    """So many of our tools are in its registry, each once."""

    tools: int


@dataclass(frozen=True, slots=True)
class Expired:
    """It does not know this token (401)."""

    error: str


@dataclass(frozen=True, slots=True)
class Strange:
    """It answered, but not what was asked: an error, or something that nobody can read."""

    error: str


@dataclass(frozen=True, slots=True)
class Away:
    """It did not answer, or not in time."""

    error: str


Answer = Registered | Taken | Listed | Offered | Expired | Strange | Away
