"""Verification: one digit changed anywhere is found in the right row, beside running writers."""

import random
import re
from collections.abc import Iterator
from decimal import Decimal

import pytest

from tekton_budget.domain.amounts import Amounts
from tekton_budget.domain.caller import LOCAL
from tekton_budget.service.verifying import Verification, Verifier

from .conftest import HOUR_US, World


def busy(world: World) -> None:
    """A store with something in every column that is verified."""
    world.price()
    world.policy("10usd/day", name="daily", rollover=True)
    world.policy("100usd/month", name="by user", per=["user"], scope={"team": "a"})
    world.policy("20usd/24h", name="rolling", per=["team"])
    world.running.service.ledger.give_credit(
        LOCAL, "by user", Amounts(cost_nano=3_000_000_123), group="alice", reason="launch 42"
    ).result()
    world.running.service.policies.set_exceptions(
        LOCAL, "by user", {"bob": {"cost_limit": Decimal("7.5")}}
    )
    for team, user in (("a", "alice"), ("a", "bob"), ("b", "carol")):
        world.spend("1.25", team=team, user=user, provider="openai", model="gpt-5")
        world.pass_seconds(1801)
    world.record("0.75", team="a", user="alice", session="s1")
    world.record(None, team="b", user="dan")
    world.pass_seconds(86_400)
    world.spend("2.5", team="a", user="alice", model="gpt-5", provider="openai")
    world.hold("1.5", team="a", user="alice")
    world.hold("0.5", team="b", user="dan")


def test_a_sound_store_has_no_findings(world: World) -> None:
    busy(world)
    told: list[tuple[str, int, int]] = []

    found = Verifier(world.reader).verify(lambda *at: told.append(at))

    assert [finding.text() for finding in found.findings] == []
    assert found.is_good
    assert found.entries == len(world.all("journal"))
    assert found.balances == len(world.all("balances"))
    assert found.usage == len(world.all("usage"))
    assert found.allocations == 2
    assert {stage for stage, _, _ in told} == {
        "journal",
        "balances",
        "allocations",
        "usage",
        "rollups",
    }
