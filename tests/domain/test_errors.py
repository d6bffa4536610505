"""Refusals: a stable code, a detail for people, the fields at fault."""

from tekton_budget.domain.errors import Unauthenticated, Unavailable, invalid


def test_a_refusal_speaks_by_its_detail() -> None:
    refusal = invalid("cost", "send a number")

    assert str(refusal) == "cost: send a number"
    assert refusal.code == "invalid"
    assert refusal.fields[0].field == "cost"


def test_who_is_away_says_when_to_come_again() -> None:
    refusal = Unavailable("later", retry_after_seconds=3, id="x")

    assert refusal.extra == {"retry_after_seconds": 3, "id": "x"}
    assert refusal.code == "unavailable"


def test_a_key_is_asked_for() -> None:
    assert Unauthenticated("who are you?").code == "key_needed"
