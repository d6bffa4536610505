"""Hermes's words read with care: tokens, listings, tools, and errors in a line."""

from typing import Any

import pytest
from tests.hermes.conftest import PROFILE

from tekton_budget.delivery.hermes import wire
from tekton_budget.delivery.hermes.answers import Listed, Registered

NOW = 1_000_000.0


@pytest.mark.parametrize(
    ("token", "seconds"),
    [
        ('{"payload": {"iat": 1795442666, "exp": 1795446266}, "signature": "x"}', 3600),
        ('{"payload": {"iat": 100, "exp": 160.5}}', 60.5),
        ('{"payload": {"iat": 100, "exp": 100}}', 3600),
        ('{"payload": {"iat": 100, "exp": 50}}', 3600),
        ('{"payload": {"iat": 100, "exp": 1e999}}', 3600),
        ('{"payload": {"iat": 100}}', 3600),
        ('{"payload": {"iat": "soon", "exp": []}}', 3600),
        ('{"payload": 7}', 3600),
        ("[]", 3600),
        ("eyJhbGciOi.J9.x", 3600),
        ("\x00", 3600),
    ],
)
def test_a_token_says_how_long_it_is_good_for_or_it_is_an_hour(token: str, seconds: float) -> None:
    assert wire.lifetime_seconds(token) == seconds


@pytest.mark.parametrize(
    "answer",
    [None, [], {}, {"token": None}, {"token": ""}, {"token": 7}, {"token": "a\nb"}, {"token": "ü"}],
)
def test_a_registration_without_a_token_is_none(answer: Any) -> None:
    with pytest.raises(wire.Unreadable):
        wire.from_register(answer, "budget")


def test_hermes_may_give_another_id() -> None:
    assert wire.from_register({"token": "t", "componentId": "b-1"}, "b") == Registered(
        "b-1", "t", 3600
    )
    assert wire.from_register({"token": "t"}, "b").component_id == "b"


def entry(id_: str, endpoint: str, heard: float | None = None, since: float = 0.0) -> Any:
    return {
        "component_id": id_,
        "endpoint": endpoint,
        "last_heartbeat": heard,
        "registered_at": since,
    }


OURS, OTHER = PROFILE.endpoint, "http://127.0.0.1:9999"


@pytest.mark.parametrize(
    ("entries", "has_us", "is_occupied"),
    [
        ([], False, False),
        ([entry("budget", OURS)], True, False),
        ([entry("budget", OTHER, NOW - 10)], False, True),
        ([entry("budget", OTHER, None, NOW - 10)], False, True),  # just begun
        ([entry("budget", OTHER, NOW - 1000, NOW - 5000)], False, False),  # died there
        ([entry("budget", OTHER, None)], False, False),
        ([entry("penia-penia-049b99e0", OURS, NOW)], False, False),  # the original, in its time
        ([7, None, {"name": "x"}, {"component_id": 3}], False, False),
    ],
)
def test_the_listing_says_whether_we_are_there_and_whether_another_is(
    entries: list[Any], has_us: bool, is_occupied: bool
) -> None:
    found = wire.from_listing({"components": entries}, PROFILE, "budget", NOW)
    assert found == Listed(has_us, is_occupied)


@pytest.mark.parametrize("answer", [None, [], {}, {"components": None}, {"components": {}}])
def test_a_listing_without_components_is_none(answer: Any) -> None:
    with pytest.raises(wire.Unreadable):
        wire.from_listing(answer, PROFILE, "budget", NOW)


def test_tools_that_are_right_are_left_alone_and_others_put_right() -> None:
    bodies = list(wire.tool_bodies(PROFILE))
    first, second = bodies[0], bodies[1]
    there = [
        {**first, "registered_at": 1.0},
        {**second, "description": "of an older version"},
        {"id": "tool-1f", "name": second["name"], "description": "of the original"},
        {"id": "tool-2f", "name": "GetComponentStatus", "description": "Hermes's own"},
        {"id": "tool-b", "name": "budget_Old", "metadata": {"component_id": "budget"}},
        {"id": "tool-o", "name": "budget-8014_Old", "metadata": {"component_id": "budget-8014"}},
        None,
        {"name": "without an id"},
    ]
    changes = wire.tool_changes(there, PROFILE)

    assert changes.removed == ("tool-1f", "tool-b")
    assert changes.added == tuple(bodies[1:])
    assert wire.tool_changes(bodies, PROFILE) == wire.Changes((), ())
    shown = [
        {name: one[name] for name in one if name != "endpoint"}  # older ones do not show it
        for one in bodies
    ]
    assert wire.tool_changes(shown, PROFILE) == wire.Changes((), ())
    with pytest.raises(wire.Unreadable):
        wire.tool_changes({"tools": []}, PROFILE)


@pytest.mark.parametrize(
    ("value", "text", "line"),
    [
        ({"detail": "Invalid authentication token"}, "", "Invalid authentication token"),
        (
            {"detail": [{"loc": ["body", "version"], "msg": "Field required"}, 7]},
            "",
            "body.version: Field required; 7",
        ),
        (None, "<html>\n  Bad   Gateway", "<html> Bad Gateway"),
        ({"detail": {}}, "{}", "{}"),
    ],
)
def test_errors_in_a_line(value: Any, text: str, line: str) -> None:
    assert wire.detail_of(value, text) == line
