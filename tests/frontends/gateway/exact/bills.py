"""What a provider billed, in our prices, beside what we charged."""

import time
from fractions import Fraction

from tests.frontends.gateway.conftest import PRICES, Gate
from tests.providers.bill import Entry

from tekton_budget.domain.caller import LOCAL
from tekton_budget.service.paging import Slice
from tekton_budget.service.reporting.balance_views import BalanceView

RATES = {model: rates for (_, model), rates in PRICES.items()}


def billed(entry: Entry) -> int:
    """10⁻⁹ USD of one request, by our prices."""
    rates = RATES[entry.model]
    exact = sum(Fraction(rates[unit]) * 1000 * tokens for unit, tokens in entry.units.items())
    return round(exact)


def settled(gate: Gate, policy: str) -> None:
    """Waits until nothing is under way, here and there."""
    assert gate.mock.bill.settled()
    give_up_at = time.monotonic() + 10
    while any(any(view.held) for view in _views(gate, policy)):
        assert time.monotonic() < give_up_at, "a hold is never given back"
        time.sleep(0.01)


def by_group(gate: Gate, policy: str) -> dict[str, int]:
    """10⁻⁹ USD spent by each group of a policy that counts by one label."""
    return {view.group: view.spent[1] for view in _views(gate, policy)}


def _views(gate: Gate, policy: str) -> list[BalanceView]:
    of_policy = gate.running.service.standings.of_policy
    return list(of_policy(LOCAL, policy, part=Slice(limit=1000)).items)
