"""Addresses of providers: which of them a call is for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from tekton_budget.domain.providers import DEMO, KNOWN, providers_of

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Place:
    """A host and port, and the path below which something is."""

    host: str
    port: int | None
    path: str

    @classmethod
    def of(cls, url: str) -> Self:
        """The place that a URL names; `localhost` and 127.0.0.1 are one."""
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        if host in ("localhost", "::1"):
            host = "127.0.0.1"
        return cls(host, parts.port or _PORTS.get(parts.scheme), parts.path.rstrip("/"))

    def rest(self, other: Self) -> str | None:
        """What of another place's path is below this one's; `None`: it is elsewhere."""
        if (self.host, self.port) != (other.host, other.port):
            return None
        if other.path != self.path and not other.path.startswith(self.path + "/"):
            return None
        return other.path[len(self.path) :]


class Addresses:
    """Where providers are: as their own documentation says, and as was set up."""

    def __init__(self, upstreams: Mapping[str, str]) -> None:
        found = {Place.of(one.url): one.name for one in (*KNOWN, DEMO) if one.url}
        providers = providers_of(upstreams)
        for given in upstreams:
            one = providers[given.lower()]
            found[Place.of(one.url)] = one.name
        self._places = sorted(found.items(), key=lambda entry: -len(entry[0].path))

    def find(self, place: Place) -> tuple[str, str] | None:
        """The name of the provider there, and the rest of the path."""
        for known, name in self._places:
            rest = known.rest(place)
            if rest is not None:
                return name, rest
        return None
