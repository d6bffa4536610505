"""Our own arm: the service as a library in every process, on SQLite or PostgreSQL."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from tekton_budget.domain.amounts import Amounts
from tekton_budget.domain.answer import Denial, Grant
from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.errors import Unavailable
from tekton_budget.proof.adapter import LIFETIME_SECONDS, Adapter, Budget, Connect, Granted, Unit
from tekton_budget.proof.stores import Place
from tekton_budget.service.asking.asks import Ask, Used
from tekton_budget.service.verifying import Verifier
from tekton_budget.settings import Settings
from tekton_budget.storage.clock import host_now_us
from tekton_budget.wiring import Running, open_service

POLICY = "limit"
SECOND_POLICY = "second limit"
TRIES = 5  # under one id, where the store is away
HOUR_US = 3_600_000_000

T = TypeVar("T")


class ProofSettings(Settings):
    """Settings that nothing around the proof can change."""

    model_config = SettingsConfigDict(toml_file=None)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given in code, and nothing else."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


class Ours:
    """The four verbs and all that is more, by the service's own verbs."""

    def __init__(self, running: Running, budget: Budget) -> None:
        self._running = running
        self._service = running.service
        self._budget = budget
        self._unit = 1 if budget.unit is Unit.COST else 0

    def reserve(self, amount: int, id: str, group: str) -> Granted | None:
        """An ask that is granted whole or not at all."""
        return self._granted(self._ask(amount, group), id)

    def reserve_up_to(self, amount: int, id: str, group: str, least: int) -> Granted | None:
        """An ask that may be clamped."""
        return self._granted(self._ask(amount, group, fit="clamp", min_grant=least), id)

    def settle(self, id: str, real: int) -> None:
        """Settle with the real usage."""
        used = Used(cost=_usd(real)) if self._unit else Used(tokens=real)
        _repeated(lambda: self._service.ledger.settle(LOCAL, id, used).result())

    def release(self, id: str) -> None:
        """Give it back."""
        _repeated(lambda: self._service.ledger.release(LOCAL, id).result())

    def spent(self, group: str) -> int:
        """What the policy's balance says, as a dry run of an ask for nothing is told it."""
        ask = self._ask(0, group)
        answer = self._service.ledger.allocate(LOCAL, ask, dry_run=True).result()
        standing = next(policy for policy in answer.policies if policy.name == POLICY)
        return standing.spent[self._unit]

    def differences(self) -> int:
        """What `verify` finds: balances, holds, usage and rollups against the journal."""
        return Verifier(self._running.reader).verify().count

    def change_limit(self, limit: int) -> None:
        """Change the policy in place."""
        self._service.policies.change_policy(LOCAL, POLICY, limit_fields(self._budget.unit, limit))

    def credit(self, amount: int, id: str) -> None:
        """Give a credit on the window."""
        amounts = Amounts(cost_nano=amount) if self._unit else Amounts(tokens=amount)
        give = self._service.ledger.give_credit
        _repeated(lambda: give(LOCAL, POLICY, amounts, reason="proof", credit_id=id).result())

    def add_limit(self, limit: int) -> None:
        """Create another policy over the same calls; what was used before is backfilled."""
        fields = {
            "name": SECOND_POLICY,
            "period": "total",
            **limit_fields(self._budget.unit, limit),
        }
        self._service.policies.create_policy(LOCAL, fields)

    def close(self) -> None:
        """Stop the writer and let go of the store."""
        self._running.close()

    def _ask(self, amount: int, group: str, fit: str = "all", min_grant: int | None = None) -> Ask:
        return Ask(
            labels={"user": group} if group else {},
            cost=_usd(amount) if self._unit else None,
            tokens=None if self._unit else amount,
            fit=fit,
            min_grant=min_grant,
            lifetime_seconds=self._budget.lifetime_seconds,
        )

    def _granted(self, ask: Ask, id_: str) -> Granted | None:
        allocate = self._service.ledger.allocate
        answer: Grant | Denial = _repeated(lambda: allocate(LOCAL, ask, allocation_id=id_).result())
        if isinstance(answer, Denial):
            return None
        return Granted(answer.allocation_id, answer.granted[self._unit])


@dataclass(frozen=True, slots=True)
class OursConnect:
    """How a process reaches our ledger. Every process shifts its clock by the same."""

    place: Place
    budget: Budget
    shift_us: int

    def __call__(self) -> Adapter:
        """The service, started in this process."""
        return Ours(_opened(self.place, self.budget, self.shift_us), self.budget)


@dataclass(frozen=True, slots=True)
class OursArm:
    """Our ledger on one store."""

    place: Place

    def __call__(self, budget: Budget) -> Connect:
        """An empty ledger with one policy: the budget."""
        place = self.place.fresh(budget.name)
        shift_us = 0 if budget.turns_at_ns is None else _shift_us(budget.turns_at_ns)
        with _opened(place, budget, shift_us) as running:
            fields = {
                "name": POLICY,
                "period": "total" if budget.turns_at_ns is None else "hourly",
                "per": ["user"] if budget.per_group else [],
                **limit_fields(budget.unit, budget.limit),
            }
            running.service.policies.create_policy(LOCAL, fields)
        return OursConnect(place, budget, shift_us)


def limit_fields(unit: Unit, limit: int) -> dict[str, object]:
    """A limit as policies take it."""
    return {"cost_limit": _usd(limit)} if unit is Unit.COST else {"token_limit": limit}


def _opened(place: Place, budget: Budget, shift_us: int) -> Running:
    """The service as a library opens it.

    Where holds are meant to expire, no pass ends them in the background: an ask that needs the room
    must find what is due by itself, in the very instant.
    """
    given: dict[str, Any] = {"database_url": place.database_url}  # Any: all else has defaults
    clock = None if not shift_us else lambda: host_now_us() + shift_us
    background = budget.lifetime_seconds >= LIFETIME_SECONDS
    return open_service(ProofSettings(**given), clock, background=background)


def _shift_us(turns_at_ns: int) -> int:
    """By how much the clock is shifted so that an hour ends at that moment."""
    turns_us = host_now_us() + (turns_at_ns - time.monotonic_ns()) // 1000
    return -turns_us % HOUR_US


def _repeated(run: Callable[[], T]) -> T:
    """Ask again under the same id where the store was away, as its answer says."""
    for _ in range(TRIES - 1):
        try:
            return run()
        except Unavailable as error:
            time.sleep(float(error.extra.get("retry_after_seconds", 1)))
    return run()


def _usd(amount_nano: int) -> Decimal:
    return Decimal(amount_nano).scaleb(-9)
