"""Our own arm with a fault in it, each of another kind: what a proof is for."""

import os
from dataclasses import dataclass
from pathlib import Path

from tekton_budget.proof.adapter import Adapter, Budget, Connect, Granted
from tekton_budget.proof.ours import Ours, OursArm, OursConnect
from tekton_budget.proof.stores import Place


class GrantsTwice(Ours):
    """Says yes where the ledger said no."""

    def reserve(self, amount: int, id: str, group: str) -> Granted | None:
        return super().reserve(amount, id, group) or Granted(id, amount)

    def settle(self, id: str, real: int) -> None:
        try:
            super().settle(id, real)
        except Exception:
            return  # and hides it


class Forgets(Ours):
    """Answers a settle that never was one."""

    def settle(self, id: str, real: int) -> None:
        if id.endswith("1"):
            super().release(id)
        else:
            super().settle(id, real)


class DeniesForNothing(Ours):
    """Denies where there is room."""

    def reserve(self, amount: int, id: str, group: str) -> Granted | None:
        return None if id.endswith("2") else super().reserve(amount, id, group)


class CountsTwice(Ours):
    """Settles once more, under another id."""

    def settle(self, id: str, real: int) -> None:
        super().settle(id, real)
        if id.endswith("3") and super().reserve(real, f"{id}-again", "") is not None:
            super().settle(f"{id}-again", real)


class Fails(Ours):
    """Does not answer."""

    def reserve(self, amount: int, id: str, group: str) -> Granted | None:
        if id.endswith("4"):
            raise OSError("away")
        return super().reserve(amount, id, group)


class Differs(Ours):
    """Keeps a balance that is not the fold of its journal."""

    def differences(self) -> int:
        with self._running.store.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE balances SET spent_requests = spent_requests + 1")
        return super().differences()


@dataclass(frozen=True)
class FaultyConnect:
    kind: type[Ours]
    sound: OursConnect

    def __call__(self) -> Adapter:
        adapter = self.sound()
        adapter.__class__ = self.kind
        return adapter


@dataclass(frozen=True)
class FaultyArm:
    kind: type[Ours]

    def __call__(self, budget: Budget) -> Connect:
        folder = Path(os.environ["FAULTY_ARMS_FOLDER"])
        return FaultyConnect(self.kind, OursArm(Place(folder=folder))(budget))


sound = FaultyArm(Ours)
grants_twice = FaultyArm(GrantsTwice)
forgets = FaultyArm(Forgets)
denies_for_nothing = FaultyArm(DeniesForNothing)
counts_twice = FaultyArm(CountsTwice)
fails = FaultyArm(Fails)
differs = FaultyArm(Differs)


def cannot_be_made(budget: Budget) -> Connect:
    raise OSError("nobody at home")
