"""What an ask states beside its tokens, checked: units, context and writing to a cache."""

from collections.abc import Mapping

from tekton_budget.domain.errors import FieldFault, InvalidInput
from tekton_budget.domain.further import CACHE_WRITES, SAID_OTHERWISE, Further, further_of
from tekton_budget.domain.metering import context_of, counts_told
from tekton_budget.domain.scope import LABEL_VALUE_MAX
from tekton_budget.domain.units import STANDARD, UNITS
from tekton_budget.service.asking.asks import Ask

UNIT_MAX = 10**12  # of anything in one call
_NAMES = tuple(unit for unit in UNITS if unit not in SAID_OTHERWISE)


def further_stated(ask: Ask) -> Further | None:
    """Further bounds; `None` where the tokens are all. Refuses each field that cannot be read."""
    if not ask.units and not ask.context and ask.cache_write is None:
        return None
    faults: list[FieldFault] = []
    if ask.cache_write is not None and ask.cache_write not in CACHE_WRITES:
        faults.append(FieldFault("cache_write", f"send {' or '.join(CACHE_WRITES)}"))
    units = _units(ask.units, faults)
    context = context_of(ask.context) if ask.context else STANDARD
    for name, word in zip(context._fields, context, strict=True):
        if word is not None and not (len(word) <= LABEL_VALUE_MAX and word.isprintable()):
            text = f"send at most {LABEL_VALUE_MAX} printable characters"
            faults.append(FieldFault(f"context.{name}", text))
    for unit, quantity in (counts_told(ask.context) if ask.context else {}).items():
        if units.setdefault(unit, quantity) != quantity:
            text = "differs from what context says of it; send one of them"
            faults.append(FieldFault(f"units.{unit}", text))
    if faults:
        detail = "; ".join(f"{fault.field}: {fault.message}" for fault in faults)
        raise InvalidInput(detail, *faults)
    return further_of(units, context, ask.cache_write)


def _units(stated: Mapping[str, object], faults: list[FieldFault]) -> dict[str, int]:
    found = {}
    for unit, quantity in stated.items():
        fault = None
        if unit in SAID_OTHERWISE:
            fault = f"send it as {SAID_OTHERWISE[unit]}"
        elif unit not in _NAMES:
            fault = f"is not known; known are {', '.join(_NAMES)}"
        elif type(quantity) is not int or not 0 <= quantity <= UNIT_MAX:
            fault = f"send a whole number, 0 to {UNIT_MAX}"
        else:
            found[unit] = quantity
        if fault is not None:
            faults.append(FieldFault(f"units.{unit}", fault))
    return found
