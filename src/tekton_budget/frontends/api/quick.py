"""Bodies of asks and settles that are plainly right, read at one look."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from tekton_budget.frontends.api.bodies.spending import ASK_FIELDS, LABEL_OF, USED_FIELDS, Asked
from tekton_budget.frontends.http.wire import in_camel_case
from tekton_budget.service.asking.asks import Ask, SettleRequest, Used


def ask_of(body: object, key: str | None) -> Asked | None:
    """The ask of a body that is plainly right; `None` where it takes a closer look."""
    found = _read(body, _OF_ASK)
    if found is None:
        return None
    labels, given, own = found
    id_ = own.get("allocation_id", key)
    if key is not None and id_ != key:
        return None
    return Asked(Ask(labels=labels, **given), id_, dry_run=own.get("dry_run", False))


def settle_of(body: object, allocation_id: str, key: str | None) -> SettleRequest | None:
    """The same for the end of an allocation."""
    found = _read(body, _OF_SETTLE)
    if found is None:
        return None
    labels, given, own = found
    id_ = own.get("record_id", key)
    if key is not None and id_ != key:
        return None
    used = Used(**given) if given else None
    return SettleRequest(allocation_id, used, labels, id_, own.get("cascade", False))


class _Slot(NamedTuple):
    """Where a field of a plain type goes."""

    place: int
    target: str
    types: tuple[type, ...]


_Found = tuple[dict[str, object], dict[str, Any], dict[str, Any]]  # labels, fields, own
_LABEL, _LABELS, _FIELD, _OWN = range(4)


def _read(body: object, slots: Mapping[str, _Slot]) -> _Found | None:
    """One look at each field, of whose name and type there is nothing to say.

    Most calls send the same few fields; checking them against all there are took longer than
    judging the call. What is not at once right is left to the full check, which names every fault.
    """
    if type(body) is not dict:
        return None
    labels: dict[str, object] = {}
    given: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for name, value in body.items():
        slot = slots.get(name)
        if slot is None or type(value) not in slot.types:
            return None
        if slot.place == _LABEL:
            into: dict[str, Any] = labels
        elif slot.place == _FIELD:
            into = given
        elif slot.place == _OWN:
            into = own
        else:
            for label, inner in value.items():
                if label in labels or type(inner) is not str:
                    return None
                labels[label] = inner
            continue
        if slot.target in into:
            return None
        into[slot.target] = value
    return labels, given, own


_TEXT, _WHOLE, _MONEY, _TRUTH, _OBJECT = (str,), (int,), (Decimal, int), (bool,), (dict,)
_TYPES = {
    "cost": _MONEY,
    "fit": _TEXT,
    "landing": _TEXT,
    "on_expiry": _TEXT,
    "metadata": _OBJECT,
    "model_used": _TEXT,
    "provider_used": _TEXT,
    "operation_id": _TEXT,
    "request_id": _TEXT,
    "estimated": _TRUTH,
    "response": (dict, list),
    "api": _TEXT,
    "context": _OBJECT,
    "cache_write": _TEXT,
    "parent_id": _TEXT,
}
_NOT_QUICK = ("expires_us", "timestamp_us", "units")


def _slots(fields: Mapping[str, str], own: Mapping[str, tuple[type, ...]]) -> dict[str, _Slot]:
    slots = {"labels": _Slot(_LABELS, "", _OBJECT)}
    slots |= {
        name: _Slot(_LABEL, label, _TEXT) for name, label in LABEL_OF.items() if name != "tier"
    }  # a tier has two spellings
    slots |= {
        name: _Slot(_FIELD, target, _TYPES.get(target, _WHOLE))
        for name, target in fields.items()
        if target not in _NOT_QUICK
    }
    slots |= {name: _Slot(_OWN, name, types) for name, types in own.items()}
    return slots | {in_camel_case(name): slot for name, slot in slots.items()}


_OF_ASK = _slots(ASK_FIELDS, {"allocation_id": _TEXT, "dry_run": _TRUTH})
_OF_SETTLE = _slots(USED_FIELDS, {"record_id": _TEXT, "cascade": _TRUTH})
