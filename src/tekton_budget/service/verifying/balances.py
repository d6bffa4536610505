"""Balances checked: each column against the journal's account of it and the row's seal."""

from collections.abc import Iterator

import msgspec

from tekton_budget.domain.amounts import UNITS, Amounts
from tekton_budget.domain.balance import balance_id
from tekton_budget.domain.policy import Credit
from tekton_budget.service.verifying.accounts import Account
from tekton_budget.service.verifying.findings import Finding, Value
from tekton_budget.service.verifying.mending import mended
from tekton_budget.storage.rows.kept import SEALED, BalanceRow

_COLUMNS = ("tokens", "cost_nano", "requests")
_decode_credits = msgspec.json.Decoder(list[Credit]).decode

assert len(_COLUMNS) == len(UNITS)


def composed_id(row: BalanceRow) -> str:
    """The key that the row's own columns make."""
    columns = row.columns
    return balance_id(columns["policy_no"], columns["opens_us"], columns["grp"])


def misnamed(row: BalanceRow, *, known: bool) -> Finding:
    """A key that is not made of its row's columns; `known`: the journal has the key."""
    other = composed_id(row)
    if not known:
        return Finding("balances", row.id, "id", row.id, other)
    policy_no, opens_us, _ = row.id.split(":", 2)
    for column, expected in (("policy_no", int(policy_no)), ("opens_us", int(opens_us))):
        if row.columns[column] != expected:
            return Finding("balances", row.id, column, row.columns[column], expected)
    return Finding("balances", row.id, "grp", row.columns["grp"], row.id.split(":", 2)[2])


def posted_faults(row: BalanceRow, account: Account) -> Iterator[Finding]:
    """What differs from the journal: amounts, and the moments that a rolling one keeps."""
    folded = account.folded
    for name, found, expected in (
        ("spent", row.spent, folded.spent),
        ("held", row.held, folded.held),
    ):
        for unit, is_, should in zip(_COLUMNS, found, expected, strict=True):
            if is_ != should:
                yield Finding("balances", row.id, f"{name}_{unit}", is_, should)


def moment_faults(row: BalanceRow, account: Account) -> Iterator[Finding]:
    """When it last changed is when its last entry was made."""
    moment = row.columns["updated_us"]
    if moment != account.last_us:
        yield Finding("balances", row.id, "updated_us", moment, account.last_us)


def kept_faults(row: BalanceRow, account: Account) -> Iterator[Finding]:
    """What differs from what was sealed or, where the seal holds, from the journal."""
    columns = row.columns
    if not columns["seal"]:
        for name in (*SEALED, "updated_us"):
            if columns[name]:
                yield Finding("balances", row.id, name, columns[name], 0, "it was never touched")
        return
    if columns["seal"] != row.seal_for(row.id):
        yield _broken_seal(row)
        return
    sub_windows = _sub_windows(columns["sub_windows"])
    if sub_windows != account.folded.sub_windows:
        is_, should = columns["sub_windows"], str(account.folded.sub_windows)
        yield Finding("balances", row.id, "sub_windows", is_, should)
    given = {one.credit_id: one.amounts for one in _credits(columns["credits"])}
    if given != account.credits:
        should = str(account.credits)
        yield Finding("balances", row.id, "credits", columns["credits"], should)


def _broken_seal(row: BalanceRow) -> Finding:
    columns = row.columns
    content: list[Value] = [row.id, *(columns[name] for name in SEALED)]
    change = mended(content, columns["seal"])
    if change is None:
        text = "its content is not what was sealed"
        return Finding("balances", row.id, "seal", columns["seal"], None, text)
    if change.position is None:
        return Finding("balances", row.id, "seal", columns["seal"], change.value)
    assert change.position > 0, "the id is compared with its parts before"
    name = SEALED[change.position - 1]
    return Finding("balances", row.id, name, columns[name], change.value)


def _sub_windows(packed: str | None) -> dict[int, Amounts]:
    if packed is None:
        return {}
    return {index: Amounts(*amounts) for index, amounts in msgspec.json.decode(packed)}


def _credits(packed: str | None) -> list[Credit]:
    return [] if packed is None else _decode_credits(packed)
