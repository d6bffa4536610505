"""Runs: commands under a cap of their own."""

import secrets
from collections.abc import Sequence
from decimal import Decimal

from tekton_budget.face.hold import Amount
from tekton_budget.face.ledger import exact
from tekton_budget.face.request import Json, Labels, Request, given, got, same, verb


class RunVerbs:
    """Runs."""

    @verb
    def open_run(
        self,
        name: str | None = None,
        *,
        cost_limit: Amount | None = None,
        token_limit: int | None = None,
        add_cost: Amount | None = None,
        add_tokens: int | None = None,
        labels: Labels | None = None,
        outer: str | None = None,
        landing: Decimal | None = None,
        land_note: str | None = None,
        without_note: bool = False,
        command: Sequence[str] = (),
        lease_seconds: int | None = None,
        reserve: bool = False,
    ) -> Request[Json]:
        """Begin a run, or continue the one of that name: its calls go to `/r/TOKEN/<provider>`.

        It lives for a lease after each `beat_run`.
        """
        body = given(
            name=name,
            outer=outer,
            labels=dict(labels or {}),
            cost_limit=exact(cost_limit),
            token_limit=token_limit,
            add_cost=exact(add_cost),
            add_tokens=add_tokens,
            landing=landing,
            land_note=land_note,
            without_note=without_note or None,
            command=list(command) or None,
            lease_seconds=lease_seconds,
            reserve=reserve or None,
            token=secrets.token_urlsafe(32),
        )
        return Request("open_run", "POST", "/runs", same, body=body)

    @verb
    def beat_run(self, run: str) -> Request[Json]:
        """It lives; how it stands."""
        return Request("beat_run", "POST", "/runs/{run}/beat", same, named={"run": run}, body={})

    @verb
    def end_run(self, run: str, *, exit_code: int | None = None) -> Request[Json]:
        """It is over; what it used."""
        body = given(exit_code=exit_code)
        return Request("end_run", "POST", "/runs/{run}/end", same, named={"run": run}, body=body)

    @verb
    def run(self, run: str) -> Request[Json]:
        """One run, by name or id."""
        return got("run", "/runs/{run}", {"run": run})

    @verb
    def runs(
        self,
        *,
        is_alive: bool | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Request[Json]:
        """A page of runs, the latest start first."""
        return got("runs", "/runs", query=given(is_alive=is_alive, after=after, limit=limit))
