"""Who calls: by a Budget key or a run's token, under which labels, and with which key upstream."""

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import SecretStr
from starlette.types import Scope

from tekton_budget.domain.caller import Caller
from tekton_budget.domain.errors import Unauthenticated
from tekton_budget.domain.providers import Family, Provider
from tekton_budget.frontends.gateway.headers import CREDENTIALS, keys_in, secret_of
from tekton_budget.frontends.gateway.routes import Route
from tekton_budget.frontends.gateway.upstream import Headers
from tekton_budget.frontends.http.auth import FRESH_SECONDS, Doorkeeper
from tekton_budget.frontends.http.labels import labels_of, usable_labels
from tekton_budget.service.keys import PREFIX
from tekton_budget.service.runs import RunVerbs

_OURS = PREFIX.partition("_")[0].encode() + b"_"
_FOREIGN_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Admission:
    """The caller, the labels it brings, and the provider's key, if it is not the client's own."""

    caller: Caller
    labels: Mapping[str, str]
    credential: Headers | None  # replaces the client's; `None`: the client's own is passed on
    ours: frozenset[bytes] = frozenset()  # of the keys that were sent: they go no further
    run_note: str | None = None
    run_id: str | None = None
    parent_id: str | None = None  # of what its run holds ahead


def presented(headers: Headers, query: bytes) -> list[bytes]:
    """The keys that the client sent in the places where APIs look for one, repeated or not."""
    found = [secret_of(name, value) for name, value in headers if name in CREDENTIALS]
    return [*filter(None, found), *keys_in(query)]


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
        self._foreign: dict[bytes, float] = {}  # no keys of ours, and until when that holds

    async def admit(self, scope: Scope, headers: dict[bytes, bytes], route: Route) -> Admission:
        """The caller of a request; 401 or 403 where it may not come in."""
        sent = presented(scope["headers"], scope["query_string"])
        labels = labels_of(headers)
        if route.run is not None:
            ours = await self._ours_of(scope, sent)
            return await self._of_run(route, sent, ours, labels)
        budget_key = headers.get(b"x-budget-key")
        if budget_key is not None:
            named = budget_key.strip()
            caller = await self._known(scope, named)
            ours = frozenset(one for one in sent if one == named or one.startswith(_OURS))
            return Admission(caller, labels, self._onward(route.provider, sent, ours), ours)
        ours = await self._ours_of(scope, sent)
        if ours:
            key = next(one for one in sent if one in ours)
            caller = await self._known(scope, key)
            return Admission(caller, labels, self._own(route.provider), ours)
        caller = await self._doorkeeper.admit(scope, {})
        return Admission(caller, labels, self._onward(route.provider, sent, ours), ours)

    async def _of_run(
        self, route: Route, sent: list[bytes], ours: frozenset[bytes], labels: dict[str, str]
    ) -> Admission:
        assert route.run is not None, "asked for runs only"
        run = self._runs.known(route.run)
        if run is None:
            run = await asyncio.to_thread(self._runs.admit, route.run)
        return Admission(
            run.caller,
            {**labels, **run.labels},
            self._onward(route.provider, sent, ours),
            ours,
            run.land_note,
            run.run_id,
            run.parent_id,
        )

    def _onward(
        self, provider: Provider, sent: list[bytes], ours: frozenset[bytes]
    ) -> Headers | None:
        """`None` where the client brought a key of the provider, which is passed on."""
        return self._own(provider) if ours.issuperset(sent) else None

    async def _ours_of(self, scope: Scope, sent: list[bytes]) -> frozenset[bytes]:
        """Which of the keys that were sent are Budget keys."""
        ours = {one for one in sent if one.startswith(_OURS)}
        if not ours:
            ours = {one for one in sent if await self._is_ours(scope, one)}
        return frozenset(ours)

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
        now = time.monotonic()
        if self._foreign.get(secret, 0.0) > now:
            return False
        try:
            await self._known(scope, secret)
        except Unauthenticated:
            if len(self._foreign) >= _FOREIGN_MAX:
                self._foreign.clear()
            self._foreign[secret] = now + FRESH_SECONDS
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
            return set_up.get_secret_value().strip().encode()
        for name in provider.keys:
            if value := os.environ.get(name, "").strip():
                return value.encode()
        return None


def with_user(admission: Admission, user: str | None) -> Admission:
    """Its labels with the user that the body names, where the key lets it say so.

    Who needs no key says its labels itself, this one too.
    """
    may_say = admission.caller.takes_user or not admission.caller.key_id
    if user is None or "user" in admission.labels or not may_say:
        return admission
    usable = usable_labels({"user": user}, strict=False)
    return replace(admission, labels={**admission.labels, **usable}) if usable else admission
