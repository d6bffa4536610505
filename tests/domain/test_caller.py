"""Callers: the labels forced on a key's calls, those it must send, and what it sees."""

import pytest

from tekton_budget.domain.caller import LOCAL, Caller
from tekton_budget.domain.errors import InvalidInput

TEAM = Caller("k1", "ci", labels={"team": "a"}, requires=("user",))


def test_forced_labels_stand_over_those_of_the_call() -> None:
    assert TEAM.labelled({"user": "u", "team": "b", "key": "other"}) == {
        "user": "u",
        "team": "a",
        "key": "ci",
    }
    assert LOCAL.labelled({"user": "u"}) == {"user": "u"}


def test_a_required_label_that_is_missing_is_named() -> None:
    with pytest.raises(InvalidInput) as refused:
        TEAM.labelled({})

    assert refused.value.code == "label_missing"
    assert refused.value.fields[0].field == "labels.user"


def test_a_key_sees_what_carries_its_forced_labels() -> None:
    assert TEAM.sees({"team": "a", "user": "x"})
    assert not TEAM.sees({"team": "b"})
    assert not TEAM.sees({})
    assert LOCAL.sees({})
