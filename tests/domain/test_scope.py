"""Which calls a policy concerns, and which group of it: whole values, never prefixes."""

import fnmatch
import re
from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.scope import (
    LABEL_NAME_MAX,
    LABEL_VALUE_MAX,
    LABELS_MAX,
    SCOPE_VALUES_MAX,
    SHARED_GROUP,
    WELL_KNOWN_LABELS,
    Scope,
    ScopeIndex,
    checked_labels,
    group_labels,
    group_of,
)

# Few letters and labels, so that values meet often.
NAMES = st.sampled_from(["team", "model", "user", "zone"])
VALUES = st.text("ab", min_size=1, max_size=3)
ASKED = st.text("ab*?", min_size=1, max_size=4)
ASKED_OR_NOT = ASKED | ASKED.map(lambda value: f"!{value}")
SCOPE_JSON = st.dictionaries(
    NAMES,
    ASKED_OR_NOT | st.lists(ASKED_OR_NOT | st.just(""), min_size=1, max_size=3),
    max_size=3,
)
LABELS = st.dictionaries(NAMES, VALUES, max_size=4)
# What has a meaning in scopes, their text and groups, next to what has none.
ANY_VALUE = st.text('/%25F,=" \\!*?&ab日🙂', min_size=1, max_size=8)
ANY_ASKED = ANY_VALUE.filter(lambda value: value != "!")
ANY_OR_NONE = ANY_ASKED | st.just("")


def fields_of(error: pytest.ExceptionInfo[InvalidInput]) -> list[str]:
    return [fault.field for fault in error.value.fields]


# --- labels -----------------------------------------------------------------------------------


def test_labels_are_kept_as_given_numbers_become_text_and_none_is_absent() -> None:
    given_labels = {"team": " a ", "user": "Zoë 日本", "run": 17, "task": None, "x.y-z_1": "/"}

    checked = checked_labels(given_labels)

    assert checked == {"team": " a ", "user": "Zoë 日本", "run": "17", "x.y-z_1": "/"}
    assert list(checked) == ["team", "user", "run", "x.y-z_1"]


@pytest.mark.parametrize("name", ["", "1a", "_a", "a b", "a/b", "é", "a\n", "a" * 65])
def test_a_name_that_no_label_can_have_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as error:
        checked_labels({name: "x", "team": "a"})

    assert fields_of(error) == [f"labels.{name[:LABEL_NAME_MAX]}"]
    assert error.value.code == "invalid"


@pytest.mark.parametrize(
    "value",
    ["", "a\n", "\x00", "a\tb", "\x7f", "\ud800", "\u202e", "x" * 257, True, 1.5, [], {}, 10**256],
)
def test_a_value_that_no_label_can_have_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput) as error:
        checked_labels({"team": value})

    assert fields_of(error) == ["labels.team"]


def test_labels_may_be_as_long_and_as_many_as_stated_and_no_more() -> None:
    longest = {"n" * LABEL_NAME_MAX: "v" * LABEL_VALUE_MAX}
    most: dict[str, object] = {f"l{number}": "x" for number in range(LABELS_MAX)}

    assert checked_labels(longest) == longest
    assert checked_labels(most) == most
    assert checked_labels({"n": -(10**254)}) == {"n": str(-(10**254))}
    with pytest.raises(InvalidInput, match="at most 40 labels, not 41") as error:
        checked_labels({**most, "one_more": "x"})
    assert fields_of(error) == ["labels"]


def test_every_faulty_label_is_named_at_once() -> None:
    with pytest.raises(InvalidInput) as error:
        checked_labels({"team": "", "user": "alice", "a b": "x", "model": False})

    assert fields_of(error) == ["labels.team", "labels.a b", "labels.model"]
    assert all(field in error.value.detail for field in fields_of(error))


def test_the_well_known_labels_can_be_used_as_labels() -> None:
    labels = dict.fromkeys(WELL_KNOWN_LABELS, "x")

    assert checked_labels(labels) == labels
    assert len(labels) == len(WELL_KNOWN_LABELS) == 19
    assert WELL_KNOWN_LABELS[0] == "org"
    assert WELL_KNOWN_LABELS[-1] == "budget"


# --- scope: what matches ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "matching", "others"),
    [
        ("a", ["a"], ["A", "ab", "ba", "", " a", "a\n"]),
        (["a", "b"], ["a", "b"], ["ab", "c", "a,b"]),
        ("gpt-*", ["gpt-", "gpt-4o", "gpt-4\n"], ["gpt", "GPT-4", "x-gpt-4", "openai/gpt-4"]),
        ("*", ["a", "anything at all"], []),
        ("g?t", ["gpt", "g*t"], ["gt", "gppt"]),
        ("*-mini", ["gpt-5-mini", "-mini"], ["gpt-5-mini-x", "mini"]),
        ("a*b*c", ["abc", "aXbYc", "abcbc"], ["acb", "ab", "bc"]),
        ("a**b", ["ab", "a-b"], ["a", "b"]),
        ("*aa*aa*", ["aaaa", "xaaxaax"], ["aaa", "aaxa"]),
        ("[ab].+", ["[ab].+"], ["a", "b.", "axx"]),
        ("a[b]*", ["a[b]", "a[b]c"], ["ab"]),
        ("!bob", ["alice", "bobby", "!bob"], ["bob"]),
        (["!bob", "!eve*"], ["alice"], ["bob", "eve", "evelyn"]),
        (["gpt-*", "!gpt-4*"], ["gpt-5", "gpt-"], ["gpt-4", "gpt-4o", "claude"]),
        (["gpt-*", "o3", "!gpt-4", "!*-mini"], ["gpt-5", "o3"], ["gpt-4", "gpt-5-mini", "o3-mini"]),
        ("!*", [], ["a", ""]),
        (["a", "!a"], [], ["a", "b"]),
        (17, ["17"], ["1", "170"]),
    ],
)
def test_a_scope_compares_whole_values(
    asked: object, matching: list[str], others: list[str]
) -> None:
    scope = Scope.from_json({"model": asked})

    for value in matching:
        assert scope.matches({"model": value, "team": "x"}), value
        assert scope.misses({"model": value}) == ()
    for value in others:
        assert not scope.matches({"model": value, "team": "x"}), value
        assert scope.misses({"model": value}) == ("model",)


@pytest.mark.parametrize("asked", ["a", "*", "!a", "!*", ["!a", "!b"]])
def test_a_label_that_is_asked_for_and_missing_does_not_match(asked: object) -> None:
    scope = Scope.from_json({"team": asked})

    assert not scope.matches({})
    assert not scope.matches({"user": "a"})
    assert scope.misses({"user": "a"}) == ("team",)


@pytest.mark.parametrize(
    ("asked", "matching", "others"),
    [
        (["", "a"], [None, "a"], ["b", "A"]),
        ([""], [None], ["a", "b"]),
        (["", "a*"], [None, "a", "ab"], ["b"]),
        (["", "*", "!b"], [None, "a"], ["b"]),
    ],
)
def test_the_empty_value_in_a_list_takes_calls_that_lack_the_label(
    asked: list[str], matching: list[str | None], others: list[str]
) -> None:
    scope = Scope.from_json({"from": asked})
    index = ScopeIndex([(scope, 1), (Scope.from_json({"from": "a"}), 2)])

    for value in matching:
        labels = {"team": "x"} if value is None else {"team": "x", "from": value}
        assert scope.matches(labels), value
        assert scope.misses(labels) == ()
        assert 1 in index.candidates(labels)
    for value in others:
        assert not scope.matches({"from": value}), value
        assert scope.misses({"from": value}) == ("from",)
    assert Scope.from_json(scope.to_json()) == scope
    assert scope.merged(Scope.from_json({"from": "a"})).matches({}) is False


@given(LABELS)
def test_the_empty_scope_matches_every_call(labels: dict[str, str]) -> None:
    assert Scope().matches(labels)
    assert Scope.from_json({}) == Scope()
    assert Scope().text() == ""
    assert Scope().to_json() == {}


def brute_match(asked: Mapping[str, str | list[str]], labels: Mapping[str, str]) -> bool:
    """The rule of the design once more, in other words, over values that have no brackets."""
    for label, given_values in asked.items():
        values = given_values if isinstance(given_values, list) else [given_values]
        included = [value for value in values if not value.startswith("!")]
        excluded = [value[1:] for value in values if value.startswith("!")]
        if label not in labels:
            if "" not in values:
                return False
            continue
        if any(fnmatch.fnmatchcase(labels[label], glob) for glob in excluded):
            return False
        if included and not any(fnmatch.fnmatchcase(labels[label], glob) for glob in included):
            return False
    return True


@given(SCOPE_JSON, LABELS)
def test_a_scope_matches_as_told_in_other_words(
    asked: dict[str, str | list[str]], labels: dict[str, str]
) -> None:
    scope = Scope.from_json(asked)

    assert scope.matches(labels) == brute_match(asked, labels)
    assert scope.matches(labels) == (scope.misses(labels) == ())
    for label in scope.misses(labels):
        assert not brute_match({label: asked[label]}, labels)


def test_a_glob_of_many_stars_is_decided_at_once() -> None:
    # A plain translation (.*a.*a…) would need longer than the universe is old.
    scope = Scope.from_json({"model": "*a" * 127 + "b"})

    assert not scope.matches({"model": "a" * 256})
    assert scope.matches({"model": "a" * 255 + "b"})


# --- scope: reading and writing ---------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "!",
        None,
        True,
        1.5,
        [],
        {},
        [[]],
        ["a", "!"],
        ["a", None],
        "a\n",
        "x" * 257,
        ["x"] * 101,
    ],
)
def test_what_cannot_be_asked_of_a_label_is_refused(asked: object) -> None:
    with pytest.raises(InvalidInput) as error:
        Scope.from_json({"user": "alice", "team": asked})

    assert fields_of(error) == ["scope.team"]


def test_every_faulty_label_of_a_scope_is_named_at_once() -> None:
    with pytest.raises(InvalidInput) as error:
        Scope.from_json({"team": "", "user": "alice", "a b": "x"})

    assert fields_of(error) == ["scope.team", "scope.a b"]


def test_a_scope_asks_as_much_as_stated_and_no_more() -> None:
    most = {f"l{number}": "x" for number in range(LABELS_MAX)}
    values = [f"v{number:03}" for number in range(SCOPE_VALUES_MAX)]

    assert Scope.from_json(most).to_json() == dict(sorted(most.items()))
    assert Scope.from_json({"team": values}).to_json() == {"team": values}
    assert Scope.from_json({"team": "!" + "x" * LABEL_VALUE_MAX}).matches({"team": "x"})
    with pytest.raises(InvalidInput, match="at most 40 labels, not 41") as error:
        Scope.from_json({**most, "one_more": "x"})
    assert fields_of(error) == ["scope"]


@pytest.mark.parametrize(
    ("asked", "text", "json"),
    [
        ({"model": "gpt-*", "team": "a"}, "team=a model=gpt-*", {"team": "a", "model": "gpt-*"}),
        ({"z": "1", "b": "2", "tier": "x"}, "tier=x b=2 z=1", {"tier": "x", "b": "2", "z": "1"}),
        (
            {"model": ["!gpt-4*", "o3", "gpt-*", "o3"]},
            "model=gpt-*,o3,!gpt-4*",
            {"model": ["gpt-*", "o3", "!gpt-4*"]},
        ),
        ({"user": ["!bob"]}, "user=!bob", {"user": "!bob"}),
        ({"team": ("b", "a")}, "team=a,b", {"team": ["a", "b"]}),
        ({"team": "R & D"}, 'team="R & D"', {"team": "R & D"}),
        ({"team": "a,b"}, 'team="a,b"', {"team": "a,b"}),
        ({"team": 'a "\\'}, 'team="a \\"\\\\"', {"team": 'a "\\'}),
        ({"run": [1, "x"]}, "run=1,x", {"run": ["1", "x"]}),
        ({"run": ["x", ""]}, 'run="",x', {"run": ["", "x"]}),
        ({"run": [""]}, 'run=""', {"run": [""]}),
    ],
)
def test_a_scope_is_written_in_one_order(
    asked: dict[str, object], text: str, json: dict[str, object]
) -> None:
    scope = Scope.from_json(asked)

    assert scope.text() == text
    assert scope.to_json() == json
    assert list(scope.to_json()) == list(json)


@given(SCOPE_JSON)
def test_a_scope_comes_back_from_json_as_itself(asked: dict[str, object]) -> None:
    scope = Scope.from_json(asked)
    again = Scope.from_json(dict(reversed(scope.to_json().items())))

    assert again == scope
    assert hash(again) == hash(scope)
    assert again.text() == scope.text()


@given(*[st.dictionaries(NAMES, ANY_ASKED | st.lists(ANY_OR_NONE, min_size=1, max_size=2))] * 2)
@example({"team": ["a", "b"]}, {"team": "a,b"})
@example({"team": "a b"}, {"team": '"a b"'})
@example({"team": "a user=b"}, {"team": "a", "user": "b"})
def test_only_equal_scopes_have_one_text(
    one_json: dict[str, object], other_json: dict[str, object]
) -> None:
    one, other = Scope.from_json(one_json), Scope.from_json(other_json)

    assert (one.text() == other.text()) == (one == other)


# --- scope: merged ----------------------------------------------------------------------------


@given(SCOPE_JSON, SCOPE_JSON, LABELS)
def test_a_merged_scope_matches_what_both_match(
    one_json: dict[str, object], other_json: dict[str, object], labels: dict[str, str]
) -> None:
    one, other = Scope.from_json(one_json), Scope.from_json(other_json)
    merged = one.merged(other)

    assert merged.matches(labels) == (one.matches(labels) and other.matches(labels))
    assert merged == other.merged(one)
    assert set(merged.misses(labels)) == {*one.misses(labels), *other.misses(labels)}
    assert len(merged.misses(labels)) == len(set(merged.misses(labels)))
    assert one.merged(one) == one.merged(Scope()) == one


@pytest.mark.parametrize(
    ("one", "other", "text", "json"),
    [
        ({"team": "a"}, {"user": "b"}, "team=a user=b", {"team": "a", "user": "b"}),
        (
            {"model": "gpt-*"},
            {"model": ["!gpt-4*", "!o3"]},
            "model=!gpt-4*,!o3 model=gpt-*",
            {"model": ["gpt-*", "!gpt-4*", "!o3"]},
        ),
        ({"user": "!a"}, {"user": "!b"}, "user=!a user=!b", {"user": ["!a", "!b"]}),
        (
            {"model": "gpt-*"},
            {"model": ["*-mini", "o3"]},
            "model=*-mini,o3 model=gpt-*",
            {"model": "*-mini,o3 & gpt-*"},
        ),
    ],
)
def test_a_merged_scope_shows_both_its_parts(
    one: dict[str, object], other: dict[str, object], text: str, json: dict[str, object]
) -> None:
    merged = Scope.from_json(one).merged(Scope.from_json(other))

    assert merged.text() == text
    assert merged.to_json() == json


# --- the index --------------------------------------------------------------------------------


@given(st.lists(SCOPE_JSON, max_size=12), st.lists(SCOPE_JSON, max_size=3), LABELS)
def test_the_index_never_misses_a_scope_and_keeps_the_order(
    asked: list[dict[str, object]], added: list[dict[str, object]], labels: dict[str, str]
) -> None:
    scopes = [Scope.from_json(one) for one in asked]
    scopes += [one.merged(Scope.from_json(more)) for one in scopes for more in added]
    index = ScopeIndex([(scope, number) for number, scope in enumerate(scopes)])

    found = index.candidates(labels)

    assert found == sorted(set(found))
    matching = [number for number, scope in enumerate(scopes) if scope.matches(labels)]
    assert [number for number in found if scopes[number].matches(labels)] == matching


def test_the_index_offers_one_of_ten_thousand_policies() -> None:
    teams = [(Scope.from_json({"org": "x", "team": f"t{n}"}), n) for n in range(10_000)]
    globs = [(Scope.from_json({"model": "gpt-*"}), -1), (Scope.from_json({"user": "!bob"}), -2)]
    index = ScopeIndex([globs[0], *teams, globs[1]])

    assert index.candidates({"org": "x", "team": "t7"}) == [-1, 7, -2]
    assert index.candidates({"org": "x"}) == [-1, -2]
    assert ScopeIndex(teams).candidates({"team": "t7"}) == [7]
    assert ScopeIndex(teams).candidates({"team": "none"}) == []


def test_a_list_of_values_and_globs_cannot_be_looked_up_by_its_values() -> None:
    mixed = Scope.from_json({"model": ["o3", "gpt-*"], "user": ["bob", "!eve"]})
    only_mixed = Scope.from_json({"model": ["o3", "gpt-*"]})
    index = ScopeIndex([(mixed, 0), (only_mixed, 1)])

    assert index.candidates({"model": "gpt-5", "user": "bob"}) == [0, 1]
    assert index.candidates({"model": "gpt-5", "user": "alice"}) == [1]


def test_items_of_an_index_need_no_order_of_their_own() -> None:
    items = [object(), object(), object()]
    scopes = [Scope.from_json({"team": ["a", "b"]}), Scope(), Scope.from_json({"user": "u"})]
    index = ScopeIndex(list(zip(scopes, items, strict=True)))

    assert index.candidates({"team": "b", "user": "u"}) == items
    assert index.candidates({"user": "u"}) == items[1:]
    assert index.candidates({}) == [items[1]]


# --- groups -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("per", "labels", "group"),
    [
        ((), {"user": "a"}, SHARED_GROUP),
        (("user",), {"user": "a", "team": "t"}, "a"),
        (("user",), {"user": "a/b%c"}, "a/b%c"),
        (("user",), {"team": "t"}, None),
        (("user", "model"), {"user": "alice", "model": "gpt-5"}, "alice/gpt-5"),
        (("model", "user"), {"user": "alice", "model": "gpt-5"}, "gpt-5/alice"),
        (("user", "model"), {"user": "a/b", "model": "50%"}, "a%2Fb/50%25"),
        (("user", "model"), {"user": "%2F", "model": "/"}, "%252F/%2F"),
        (("user", "model"), {"user": "alice"}, None),
        (("user", "model"), {}, None),
    ],
)
def test_a_group_is_named_by_its_values(
    per: tuple[str, ...], labels: dict[str, str], group: str | None
) -> None:
    assert group_of(per, labels) == group
    if group is not None:
        assert group_labels(per, group) == {label: labels[label] for label in per}


@given(
    st.lists(NAMES, unique=True, min_size=1).map(tuple),
    *[st.fixed_dictionaries(dict.fromkeys(["team", "model", "user", "zone"], ANY_VALUE))] * 2,
)
def test_groups_and_their_labels_say_the_same(
    per: tuple[str, ...], one: dict[str, str], other: dict[str, str]
) -> None:
    group = group_of(per, one)
    assert group is not None
    assert group != SHARED_GROUP

    assert group_labels(per, group) == {label: one[label] for label in per}
    same_values = all(one[label] == other[label] for label in per)
    assert (group_of(per, other) == group) == same_values


def test_the_shared_group_stands_for_no_labels() -> None:
    assert group_labels(("user",), SHARED_GROUP) == {}
    assert group_labels(("user", "model"), SHARED_GROUP) == {}


@pytest.mark.parametrize(
    ("per", "group"),
    [
        ((), "a"),
        (("user", "model"), "a"),
        (("user", "model"), "a/b/c"),
        (("user", "model"), "a/"),
        (("user", "model"), "/"),
        (("user", "model"), "a/50%"),
        (("user", "model"), "a%2fb/c"),
    ],
)
def test_a_group_that_no_call_falls_into_is_refused(per: tuple[str, ...], group: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(f'group "{group}" must be')) as error:
        group_labels(per, group)

    assert fields_of(error) == ["group"]


def test_runs_and_those_inside_them_are_found_by_their_root() -> None:
    scopes = [(Scope.from_json({"run": [f"r{n}", f"r{n}/*"]}), n) for n in range(50)]
    index = ScopeIndex([*scopes, (Scope.from_json({"run": ["r1/x", "r1/x/*"], "team": "a"}), 99)])

    assert index.candidates({"run": "r7"}) == [7]
    assert index.candidates({"run": "r7/inner/one"}) == [7]
    assert index.candidates({"run": "r70"}) == []
    assert index.candidates({"team": "b"}) == []
    assert index.candidates({"run": "r1/x/y", "team": "a"}) == [1, 99]


@pytest.mark.parametrize("values", [["a/*", "b*"], ["*/a"], ["?/a"], ["!a/*"]])
def test_what_may_match_any_root_is_always_a_candidate(values: list[str]) -> None:
    assert ScopeIndex([(Scope.from_json({"run": values}), 0)]).candidates({"run": "z"}) == [0]
