"""The host's clock: Apollo's times are what it shows, without an offset."""

from datetime import UTC, datetime


def now() -> datetime:
    """This moment, with an offset."""
    return datetime.now(UTC)


def local_now() -> datetime:
    """This moment as the host's clock shows it."""
    return local(now())


def local(at: datetime) -> datetime:
    """A moment as the host's clock shows it; one without an offset is that already."""
    return at if at.tzinfo is None else at.astimezone().replace(tzinfo=None)
