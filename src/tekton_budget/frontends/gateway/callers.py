"""Who calls: by a Budget key or a run's token, under which labels, and with which key upstream."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import unquote

from pydantic import SecretStr
from starlette.types import Scope

from tekton_budget.domain.caller import Caller
from tekton_budget.domain.errors import BudgetError, Unauthenticated
from tekton_budget.domain.scope import checked_labels
from tekton_budget.frontends.gateway.providers import Family, Provider
from tekton_budget.frontends.gateway.routes import Route
from tekton_budget.frontends.gateway.upstream import Headers
from tekton_budget.frontends.http.auth import Doorkeeper
from tekton_budget.service.keys import PREFIX
from tekton_budget.service.runs import RunVerbs

_KEY_HEADERS = (b"x-api-key", b"x-goog-api-key", b"api-key")
_OURS = PREFIX.partition("_")[0].encode() + b"_"
_NOT_LABELS = ("sentry-",)  # what tracing puts into baggage


@dataclass(frozen=True, slots=True)
class Admission:
    """The caller, the labels it brings, and the provider's key, if it is not the client's own."""

    caller: Caller
    labels: Mapping[str, str]
    credential: Headers | None  # replaces the client's; `None`: the client's own is passed on
    run_note: str | None = None
    run_id: str | None = None
    parent_id: str | None = None  # of what its run holds ahead


def presented(headers: Mapping[bytes, bytes], query: bytes) -> bytes | None:
    """The key that the client sent in any of the places where its API looks for one."""
    for name in _KEY_HEADERS:
        if value := headers.get(name):
            return value.strip()
    scheme, _, secret = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer" and secret.strip():
        return secret.strip()
    for part in query.split(b"&"):
        if part.startswith(b"key="):
            return unquote(part[4:].decode("latin-1")).encode("latin-1", "replace")
    return None


def labels_of(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """Labels that headers bring: W3C baggage, and `X-Budget-Labels: team=a,feature=b`."""
    found: dict[str, object] = {}
    baggage = headers.get(b"baggage")
    if baggage is not None:
        for member in baggage.decode("latin-1").split(","):
            name, equals, value = member.partition(";")[0].partition("=")
            name = unquote(name.strip())
            if equals and not name.startswith(_NOT_LABELS):
                found[name] = unquote(value.strip())
    own = headers.get(b"x-budget-labels")
    if own is not None:
        for member in own.decode("utf-8", "replace").split(","):
            name, equals, value = member.partition("=")
            if equals:
                found[name.strip()] = value.strip()
    return _usable(found, strict=own is not None) if found else {}


def _usable(found: dict[str, object], *, strict: bool) -> dict[str, str]:
    """Baggage carries what others put there: what can be no label is passed by."""
    if strict:
        return checked_labels(found)
    usable: dict[str, str] = {}
    for name, value in found.items():
        try:
            usable |= checked_labels({name: value})
        except BudgetError:
            continue
    return usable


class Callers:
    """Tells who calls. Keys of ours never go upstream, those of providers are never stored."""

    def __init__(
        self,
        doorkeeper: Doorkeeper,
        keys: Mapping[str, SecretStr],
        runs: RunVerbs,
    ) -> None:
        self._doorkeeper = doorkeeper
        self._keys = keys
        self._runs = runs

    async def admit(self, scope: Scope, headers: dict[bytes, bytes], route: Route) -> Admission:
        """The caller of a request; 401 or 403 where it may not come in."""
        sent = presented(headers, scope["query_string"])
        budget_key = headers.get(b"x-budget-key")
        if route.run is not None:
            return await self._of_run(route.run, route, sent, labels_of(headers))
        if budget_key is not None:
            caller = await self._known(scope, budget_key)
            credential = None if sent is not None else self._own(route.provider)
        elif sent is not None and (sent.startswith(_OURS) or await self._is_ours(scope, sent)):
            caller = await self._known(scope, sent)
            credential = self._own(route.provider)
        else:
            caller = await self._doorkeeper.admit(scope, {})
            credential = None if sent is not None else self._own(route.provider)
        return Admission(caller, labels_of(headers), credential)

    async def _of_run(
        self, token: str, route: Route, sent: bytes | None, labels: dict[str, str]
    ) -> Admission:
        run = self._runs.known(token)
        if run is None:
            run = await asyncio.to_thread(self._runs.admit, token)
        credential = None if sent is not None else self._own(route.provider)
        return Admission(
            run.caller,
            {**labels, **run.labels},
            credential,
            run.land_note,
            run.run_id,
            run.parent_id,
        )

    def count(self, admission: Admission, *, refused: bool = False, clamped: bool = False) -> None:
        """What became of a call, for the run that it is of."""
        if admission.run_id is not None:
            self._runs.count(admission.run_id, calls=1, refused=int(refused), clamped=int(clamped))

    async def _known(self, scope: Scope, secret: bytes) -> Caller:
        return await self._doorkeeper.admit(scope, {b"x-api-key": secret})

    async def _is_ours(self, scope: Scope, secret: bytes) -> bool:
        """Keys chosen by people look like no others: whoever has keys is asked."""
        if not await self._doorkeeper.needs_key():
            return False
        try:
            await self._known(scope, secret)
        except Unauthenticated:
            return False
        return True

    def _own(self, provider: Provider) -> Headers:
        """The provider's key as this installation has it, in the header where its API looks."""
        secret = self._secret(provider)
        if secret is None:
            return []
        if provider.family is Family.ANTHROPIC:
            return [(b"x-api-key", secret)]
        if provider.family is Family.GEMINI:
            return [(b"x-goog-api-key", secret)]
        if provider.family is Family.AZURE:
            return [(b"api-key", secret)]
        return [(b"authorization", b"Bearer " + secret)]

    def _secret(self, provider: Provider) -> bytes | None:
        set_up = self._keys.get(provider.name)
        if set_up is not None:
            return set_up.get_secret_value().encode()
        for name in provider.keys:
            if value := os.environ.get(name):
                return value.encode()
        return None


def with_user(admission: Admission, user: str | None) -> Admission:
    """Its labels with the user that the body names, where the key lets it say so."""
    if user is None or "user" in admission.labels or not admission.caller.takes_user:
        return admission
    usable = _usable({"user": user}, strict=False)
    return replace(admission, labels={**admission.labels, **usable}) if usable else admission
