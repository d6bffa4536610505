"""Alerts as rows: written with the events that they are of, walked from the newest on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import uuid_utils
from sqlalchemy import ColumnElement, and_, func, select, true

from tekton_budget.domain.alert import (
    Alert,
    AlertType,
    Severity,
    is_alert,
    severity_of,
    type_of,
)
from tekton_budget.domain.event import Event
from tekton_budget.storage import statements as sql
from tekton_budget.storage import tables
from tekton_budget.storage.packing import json_text
from tekton_budget.storage.reading import Reader
from tekton_budget.storage.session import Session, Write
from tekton_budget.storage.statements import Statements

IDS_MAX = 500  # of one statement
COUNTED_MAX = 10_000  # beyond this a total costs a scan

_a = tables.alerts.c
_SELECTED = (
    "no, alert_id, at_us, budget_id, policy_id, severity, type, facts, acknowledged_us, "
    "acknowledged_by"
)
_COLUMNS = [tables.alerts.c[name] for name in sql.names(_SELECTED)]


class Stored(NamedTuple):
    """An alert and its number, by which lists are walked."""

    no: int
    alert: Alert


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts."""

    budget_id: str | None = None
    severity: str | None = None
    type: str | None = None
    acknowledged: bool | None = None
    policy_ids: frozenset[str] | None = None  # only of these

    def condition(self) -> ColumnElement[bool]:
        """As a query asks for them."""
        parts: list[ColumnElement[bool]] = [true()]
        for name in ("budget_id", "severity", "type"):
            value = getattr(self, name)
            if value is not None:
                parts.append(tables.alerts.c[name] == value)
        if self.acknowledged is not None:
            known = _a.acknowledged_us
            parts.append(known.is_not(None) if self.acknowledged else known.is_(None))
        if self.policy_ids is not None:
            parts.append(_a.policy_id.in_(sorted(self.policy_ids)))
        return and_(*parts)


class AlertRows:
    """The table of alerts, read."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def walk(self, wanted: AlertFilter, *, limit: int, before: int | None = None) -> list[Stored]:
        """Up to `limit` alerts before a number, newest first."""
        query = select(*_COLUMNS).where(wanted.condition()).order_by(_a.no.desc()).limit(limit)
        if before is not None:
            query = query.where(_a.no < before)
        return [_stored(row) for row in self._reader.rows(query)]

    def count(self, wanted: AlertFilter) -> int | None:
        """How many there are; `None` where that would take long."""
        some = select(_a.no).where(wanted.condition()).limit(COUNTED_MAX + 1).subquery()
        number = int(self._reader.rows(select(func.count()).select_from(some))[0][0])
        return number if number <= COUNTED_MAX else None

    def by_id(self, alert_id: str) -> Alert | None:
        """One, if it is there."""
        rows = self._reader.rows(select(*_COLUMNS).where(_a.alert_id == alert_id))
        return _stored(rows[0]).alert if rows else None

    def of(self, balance_ids: Iterable[str], since_us: int) -> dict[str, list[Alert]]:
        """The alerts of each of these balances since a moment, if it has any."""
        wanted = sorted(set(balance_ids))
        found: dict[str, list[Alert]] = {}
        for start in range(0, len(wanted), IDS_MAX):
            own = _a.balance_id.in_(wanted[start : start + IDS_MAX])
            query = select(*_COLUMNS).where(own, _a.at_us >= since_us)
            for row in self._reader.rows(query):
                alert = _stored(row).alert
                found.setdefault(alert.balance_id, []).append(alert)
        return found


def alert_writes(s: Statements, events: Sequence[Event], now_us: int) -> list[Write]:
    """Rows of the alerts that some events are, in the transaction of those."""
    rows = [_row(event, now_us) for event in events if is_alert(event)]
    return [(s.insert(tables.alerts, sql.ALERT_COLUMNS), rows)] if rows else []


def write_alerts(session: Session, events: Sequence[Event], now_us: int) -> None:
    """The same at once, for exclusive work."""
    for statement, rows in alert_writes(session.statements, events, now_us):
        session.write(statement, rows)


def alerts_since(session: Session, balance_id: str, since_us: int) -> list[Alert]:
    """The alerts of a balance since a moment; for exclusive work."""
    mark = session.statements.mark
    query = f"SELECT {_SELECTED} FROM alerts WHERE balance_id = {mark} AND at_us >= {mark}"
    return [_stored(row).alert for row in session.execute(query, (balance_id, since_us))]


def set_acknowledged(session: Session, alert_ids: Sequence[str], at_us: int, by: str) -> list[str]:
    """Those that were open are seen to; which these are."""
    found = session.by_keys(tables.alerts, "alert_id, acknowledged_us", "alert_id", alert_ids)
    opened = sorted(row[0] for row in found if row[1] is None)
    columns = "acknowledged_us, acknowledged_by"
    statement = session.statements.update(tables.alerts, "alert_id", "", columns)
    if opened:
        session.write(statement, [(at_us, by, alert_id) for alert_id in opened])
    return opened


def _row(event: Event, now_us: int) -> tuple[object, ...]:
    return (
        str(uuid_utils.uuid7()),
        now_us,
        event.budget_id,
        event.subject_id,
        event.payload["balance_id"],
        severity_of(event).value,
        type_of(event).value,
        json_text(event.payload),
    )


def _stored(row: Any) -> Stored:  # Any: a row's columns have many types
    alert = Alert(
        alert_id=row[1],
        at_us=row[2],
        budget_id=row[3],
        policy_id=row[4],
        severity=Severity(row[5]),
        type=AlertType(row[6]),
        facts=msgspec.json.decode(row[7]),
        acknowledged_us=row[8],
        acknowledged_by=row[9],
    )
    return Stored(row[0], alert)
