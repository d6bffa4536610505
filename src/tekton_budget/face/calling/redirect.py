"""Where a call goes instead, and what is said with it: whose it is, under which labels."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tekton_budget.domain.errors import NotFound
from tekton_budget.face.calling.addresses import Addresses, Place

LABELS = b"x-budget-labels"
KEY = b"x-budget-key"
IN_PROCESS = "http://localhost"
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Onward:
    """One request as it goes to the gateway."""

    url: str
    headers: Headers


class Redirect:
    """Leads calls from a provider's address to the gateway's."""

    def __init__(
        self,
        addresses: Addresses,
        labels: Mapping[str, str],
        *,
        base: str = IN_PROCESS,
        key: str | None = None,
    ) -> None:
        self._addresses = addresses
        self._base = base
        self._own = tuple(Place.of(base + path) for path in ("/gateway", "/r"))
        self._below = Place.of(base).path
        self._host = base.partition("//")[2].partition("/")[0].encode()
        self._labels = written(labels)
        self._key = None if key is None else key.encode()

    def of(self, request: Any) -> Onward:  # Any: a Request of httpx or httpx2
        """The request at the gateway; refuses one whose provider is not known."""
        url = request.url
        path, query, words = url.raw_path.decode("ascii").partition("?")
        place = Place.of(f"{url.scheme}://{url.netloc.decode('ascii')}{path}")
        return Onward(
            self._base + self._path(place, request) + query + words,
            self._headers(request.headers.raw),
        )

    def _path(self, place: Place, request: Any) -> str:  # Any: as above
        if self._base != IN_PROCESS and any(own.rest(place) is not None for own in self._own):
            return place.path.removeprefix(self._below)
        found = self._addresses.find(place)
        if found is None:
            raise self._unknown(f"{request.url.scheme}://{request.url.netloc.decode('ascii')}")
        name, rest = found
        return f"/gateway/{quote(name)}{rest}"

    def _headers(self, sent: Iterable[tuple[bytes, bytes]]) -> Headers:
        """The client's own; labels of the call go before those of its client."""
        kept: Headers = [(b"host", self._host)]
        labels, key = self._labels, self._key
        for name, value in sent:
            lower = name.lower()
            if lower == LABELS:
                labels = labels + b"," + value if labels else value
            elif lower == KEY:
                key = value
            elif lower != b"host":
                kept.append((lower, value))
        if labels:
            kept.append((LABELS, labels))
        if key is not None:
            kept.append((KEY, key))
        return kept

    def _unknown(self, origin: str) -> NotFound:
        where = "" if self._base == IN_PROCESS else f" here and at {self._base}"
        return NotFound(
            f"Calls to {origin} are not let through: no provider is known at that address, so no "
            f"limit could hold them. Name it by BUDGET_UPSTREAM_NAME={origin}/v1{where} "
            "(anthropic+https://… where it speaks Anthropic's API).",
            code="provider_unknown",
        )


def written(labels: Mapping[str, str]) -> bytes:
    """Labels as a header's value: whatever is in them, in percents."""
    pairs = (f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in labels.items())
    return ",".join(pairs).encode("ascii")
