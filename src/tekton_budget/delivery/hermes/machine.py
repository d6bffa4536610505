"""What to do next with Hermes: a function of the time, of how things stand and of its last answer.

Pure: no clock, no I/O, no dice. Times are seconds of any clock that only goes forward.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from tekton_budget.delivery.hermes.answers import (
    Answer,
    Away,
    Expired,
    Listed,
    Offered,
    Registered,
    Strange,
    Taken,
)

DOUBLINGS_MAX = 16  # further ones are far above any bound


class Act(StrEnum):
    """What can be done; where two are due at once, the first of these goes first."""

    REGISTER = "register"
    LOOK = "look"
    BEAT = "beat"
    OFFER = "offer"


@dataclass(frozen=True, slots=True)
class Pace:
    """How often what is done, in seconds.

    Hermes calls whoever beat within the last 60 seconds healthy. A heartbeat does not tell whether
    it still lists us (after a restart of Hermes it does not, and answers all the same): looking
    does. A token is renewed before it ends.
    """

    beat_seconds: float = 30.0
    look_seconds: float = 60.0
    offer_seconds: float = 600.0
    renew_seconds: float = 300.0  # before the token ends
    retry_seconds: float = 1.0  # after the first failure; twice as long after each further one
    retry_seconds_max: float = 30.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand. A token means that we are registered, as far as we know."""

    component_id: str
    token: str | None = None
    since: float | None = None
    is_proven: bool = False  # Hermes took a heartbeat with this token
    is_away: bool = False
    has_looked: bool = False  # who stands under our id; asked before each registration
    failures: int = 0  # in a row
    offers_failed: int = 0
    wait_until: float = 0.0  # nothing is done before
    renew_at: float = 0.0
    look_at: float = 0.0
    beat_at: float = 0.0
    offer_at: float = 0.0
    beaten_at: float | None = None
    tools: int = 0
    error: str | None = None

    @property
    def is_registered(self) -> bool:
        """Hermes knows us, and answered when last asked."""
        return self.token is not None and not self.is_away


def next_act(now: Standing, at: float) -> tuple[Act | None, float]:
    """What is to be done at this time, or `None` and the time until which to wait."""
    if at < now.wait_until:
        return None, now.wait_until
    if now.token is None:
        return (Act.REGISTER if now.has_looked else Act.LOOK), at
    due = (
        (now.renew_at, Act.REGISTER),
        (now.look_at, Act.LOOK),
        (now.beat_at, Act.BEAT),
        (now.offer_at, Act.OFFER),
    )
    first_at, act = min(due, key=lambda each: max(each[0], at))
    return (act, at) if first_at <= at else (None, first_at)


@dataclass(frozen=True, slots=True)
class Rules:
    """Which ids we may stand under, how fast, and whether there are tools to offer."""

    component_id: str
    other_id: str
    pace: Pace
    has_tools: bool = True

    def start(self) -> Standing:
        """Before anything was said."""
        return Standing(self.component_id)

    def after(self, now: Standing, act: Act, answer: Answer, at: float, roll: float) -> Standing:
        """How things stand after this answer; `roll` in [0, 1) spreads the waiting."""
        match answer:
            case Away(error):
                return self._failed(replace(now, is_away=True), error, at, roll)
            case Expired(error):
                return self._expired(_back(now, act, at), error, at, roll)
            case Strange(error):
                return self._puzzled(_back(now, act, at), act, error, at, roll)
            case Registered():
                return self._registered(_back(now, act, at), answer, at)
            case Listed():
                return self._looked(_back(now, act, at), answer, at)
            case Offered(tools):
                return replace(
                    _back(now, act, at),
                    tools=tools,
                    offers_failed=0,
                    offer_at=at + self.pace.offer_seconds,
                )
            case Taken():
                return replace(
                    _back(now, act, at),
                    failures=0,
                    is_proven=True,
                    beaten_at=at,
                    beat_at=at + self.pace.beat_seconds,
                    error=None,
                )

    def _registered(self, now: Standing, answer: Registered, at: float) -> Standing:
        life = answer.lifetime_seconds
        is_new = now.since is None
        return replace(
            now,
            component_id=answer.component_id,
            token=answer.token,
            since=at if now.since is None else now.since,
            is_proven=False,
            renew_at=at
            + max(self.pace.retry_seconds, life - min(self.pace.renew_seconds, life / 4)),
            beat_at=at,  # until the first one nobody counts us as healthy
            look_at=at + self.pace.look_seconds,
            offer_at=_offer_at(self, now, at, is_new=is_new),
        )

    def _looked(self, now: Standing, answer: Listed, at: float) -> Standing:
        component_id = now.component_id
        if answer.is_occupied:
            component_id = self.other_id
        if now.token is not None and answer.has_us:
            return replace(now, look_at=at + self.pace.look_seconds)
        lost = "Hermes no longer lists us" if now.token is not None else now.error
        return replace(_lost(now, lost), component_id=component_id, has_looked=True)

    def _expired(self, now: Standing, error: str, at: float, roll: float) -> Standing:
        """Register again: at once if the token was good before, else with patience."""
        lost = _lost(now, error)
        return lost if now.is_proven else self._failed(lost, error, at, roll)

    def _puzzled(self, now: Standing, act: Act, error: str, at: float, roll: float) -> Standing:
        if act is Act.OFFER:  # its registry of tools is a part of its own
            failed = now.offers_failed + 1
            wait = _wait_seconds(self.pace, failed, roll)
            return replace(now, offers_failed=failed, offer_at=at + wait, error=error)
        if act is Act.LOOK:  # to be registered twice is better than not at all
            return replace(now, has_looked=True, look_at=at + self.pace.look_seconds, error=error)
        return self._failed(now, error, at, roll)

    def _failed(self, now: Standing, error: str, at: float, roll: float) -> Standing:
        failures = now.failures + 1
        wait = _wait_seconds(self.pace, failures, roll)
        return replace(now, failures=failures, wait_until=at + wait, error=error)


def _offer_at(rules: Rules, now: Standing, at: float, *, is_new: bool) -> float:
    if not rules.has_tools:
        return float("inf")
    return at if is_new else now.offer_at


def _back(now: Standing, act: Act, at: float) -> Standing:
    """It answers. If it did not before, it may be another one, that does not know us."""
    if not now.is_away:
        return now
    return replace(now, is_away=False, look_at=now.look_at if act is Act.LOOK else at)


def _lost(now: Standing, error: str | None) -> Standing:
    return replace(
        now, token=None, since=None, is_proven=False, has_looked=False, tools=0, error=error
    )


def _wait_seconds(pace: Pace, failures: int, roll: float) -> float:
    """Twice as long after each failure, up to a bound; spread over its upper half."""
    longest = pace.retry_seconds * (1 << min(failures - 1, DOUBLINGS_MAX))
    return min(longest, pace.retry_seconds_max) * (0.5 + roll / 2)
