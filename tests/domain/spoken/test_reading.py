"""A line that somebody typed is the command they meant, or is refused with what to write."""

import shlex
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.spoken import CHAT, LINE, help_of, named, overview, read
from tekton_budget.domain.spoken.words import Kind, Word

USAGE = {
    "set-limit daily 5": ("set-limit", {"period": "daily", "limit": Decimal(5)}),
    "set_limit DAILY $5.50": ("set-limit", {"period": "daily", "limit": Decimal("5.50")}),
    "Set-Limit monthly 1,000usd": ("set-limit", {"period": "monthly", "limit": Decimal(1000)}),
    "/set-limit daily 5": ("set-limit", {"period": "daily", "limit": Decimal(5)}),
    "set-limit daily 5 --policy-type HARD_LIMIT --budget_id=b": (
        "set-limit",
        {
            "period": "daily",
            "limit": Decimal(5),
            "policy_type": "hard_limit",
            "budget_id": "b",
        },
    ),
    "set-limit --provider openai daily 5 --warning-threshold .5": (
        "set-limit",
        {
            "period": "daily",
            "limit": Decimal(5),
            "provider": "openai",
            "warning_threshold": Decimal("0.5"),
        },
    ),
    "allocate list": ("allocate list", {"active_only": True}),
    "allocate list --all": ("allocate list", {"active_only": False}),
    "allocate list --active-only --component 'a b'": (
        "allocate list",
        {"active_only": True, "component": "a b"},
    ),
    "alerts list": ("alerts list", {}),
    "alerts list --unacknowledged": ("alerts list", {"acknowledged": False}),
    "status": ("status", {"period": "daily"}),
    "/budget": ("budget", {"period": "monthly"}),
    "budget weekly": ("budget", {"period": "weekly"}),
    "/usage": ("usage", {"period": "monthly"}),
    "/usage ergon": ("usage", {"period": "monthly", "component": "ergon"}),
    "/usage daily ergon": ("usage", {"period": "daily", "component": "ergon"}),
    "/limits daily 5": ("limits", {"period": "daily", "amount": Decimal(5)}),
    "/query provider=openai task-type='a b'": (
        "query",
        {"filters": {"provider": "openai", "task_type": "a b"}},
    ),
    "/query": ("query", {}),
    "/recommend sum up a book": ("recommend", {"task": "sum up a book"}),
    "/recommend what's best": ("recommend", {"task": "what's best"}),
    "recommend": ("recommend", {"context_size": 2000, "output_size": 500}),
    "/analyze 7": ("analyze", {"days": 7}),
    "/analyze daily 7": ("analyze", {"period": "daily", "days": 7}),
    "/alerts": ("alerts", {}),
    "/alerts acknowledge x": ("alerts", {"action": "acknowledge", "alert_id": "x"}),
    "/help": ("help", {}),
    "/help allocate create": ("help", {"command": "allocate create"}),
    "prices": ("prices", {}),
    "/prices openai": ("prices", {"provider": "openai"}),
    "prices list --model 'gpt-5*'": ("prices list", {"model": "gpt-5*"}),
}


@pytest.mark.parametrize("text", USAGE)
def test_a_line_is_understood(text: str) -> None:
    name, values = USAGE[text]
    spoken = read(text)

    assert spoken.word.name == name
    assert spoken.values == values


def test_a_stroke_says_which_of_two_is_meant() -> None:
    assert read("/recommend x").word in CHAT
    assert read("recommend").word in LINE
    assert read("/prices list").word in LINE or read("/prices list").word in CHAT


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Write a command; help lists them."),
        ("   ", "Write a command"),
        ("/", "Write a command"),
        ("/ budget", "Write a command"),
        ("set-limit", "period is missing. Write: set-limit <period> <limit>"),
        ("set-limit daily", "limit is missing"),
        ("set-limit daily five", '"five" is not an amount of USD'),
        ("set-limit daily -5", '"-5" is not an amount of USD'),
        ("set-limit daily NaN", '"NaN" is not an amount of USD'),
        ("set-limit daily Infinity", "is not an amount of USD"),
        ("set-limit daily 1e3", "is not an amount of USD"),
        ("set-limit daily 1.0000000001", "is not an amount of USD"),
        ("set-limit fortnightly 5", '"fortnightly" is not one of hourly'),
        ("set-limit daily 5 6", '"6" is too much'),
        ("set-limit daily 5 --colour red", "--colour is no option of set-limit"),
        ("set-limit daily 5 --provider", "--provider needs a value"),
        ("allocate list --all=true", "--all takes no value"),
        ("allocate list --active-only=false", "--active-only takes no value"),
        ("set-limit daily 5 --warning-threshold 80", '"80" is not a share'),
        ("set-limit daily 5 --policy-type harsh", '"harsh" is not one of ignore'),
        ("set-limit daily 'unclosed", "quotation mark"),
        ("allocate", "Say which: allocate create, allocate list, allocate release."),
        ("allocate x", "Say which: allocate create"),
        ("allocate create", "--context-id is missing"),
        ("allocate create --context-id c --component x --tokens 1.5", '"1.5" is not a whole'),
        ("allocate create --context-id c --component x --tokens ٣", "is not a whole number"),
        ("get-usage daily --days -1", '"-1" is not a whole number'),
        ("/budget fortnightly", '"fortnightly" is not one of hourly'),
        ("/query openai", '"openai" is no filter'),
        ("/query =openai", "is no filter"),
        ("/query provider=", "is no filter"),
        ("/recommend", "task is missing"),
        ("/alerts delete", '"delete" is not one of list'),
        ("x" * 4001, "at most 4000 characters"),
        ("calc-cost --provider p --model m --input-tokens " + "9" * 30, "is not a whole number"),
    ],
)
def test_what_cannot_be_understood_says_what_to_write(text: str, told: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(text)

    assert told in refused.value.detail
    assert refused.value.code == "command_invalid"
    assert len(refused.value.detail) < 500


@pytest.mark.parametrize("text", ["frobnicate", "/frobnicate now", "x" * 3000, "help me"][:3])
def test_a_command_that_is_not_known_is_told(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(text)

    assert refused.value.code == "command_unknown"
    assert "help lists them" in refused.value.detail
    assert len(refused.value.detail) < 200


@given(
    st.text(max_size=200)
    | st.builds(
        lambda w, t: f"{w} {t}",
        st.sampled_from([w.name for w in (*CHAT, *LINE)]),
        st.text(max_size=60),
    )
)
def test_any_text_is_a_command_or_a_clear_refusal(text: str) -> None:
    try:
        spoken = read(text)
    except InvalidInput as refused:
        assert refused.detail
        assert refused.code in ("command_invalid", "command_unknown")
    else:
        assert spoken.word in (*CHAT, *LINE)


def example_of(part: Any) -> str:
    if part.choices:
        return str(part.choices[0])
    kinds = {Kind.WHOLE: "7", Kind.USD: "5", Kind.SHARE: "0.5", Kind.FILTERS: "a=b"}
    return kinds.get(part.kind, "x")


@pytest.mark.parametrize("word", [*CHAT, *LINE], ids=lambda one: one.name)
def test_every_part_of_every_command_can_be_said_and_is_explained(word: Word) -> None:
    sign = "/" if word in CHAT else ""
    words = [f"{sign}{word.name}", *(example_of(one) for one in word.parameters)]
    for one in word.options:
        words += [f"--{one.name.replace('_', '-')}"]
        words += [] if one.kind is Kind.FLAG else [example_of(one)]
    text = " ".join([words[0], *map(shlex.quote, words[1:])])
    spoken = read(text)

    assert spoken.word == word
    assert set(spoken.values) == {one.name for one in (*word.parameters, *word.options)}
    assert read(text.replace("_", "-").swapcase()).values.keys() == spoken.values.keys()
    for one in (*word.parameters, *word.options):
        assert one.about in help_of(word)
    assert word.about in overview() or word.name == "start"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("set_limit", ["set-limit"]),
        ("/recommend", ["recommend"]),
        ("allocate", ["allocate create", "allocate list", "allocate release"]),
        ("Allocate Create", ["allocate create"]),
        ("/get-usage", ["get-usage"]),
        ("nothing", []),
        ("", []),
        ("/", []),
    ],
)
def test_help_finds_commands_in_any_spelling(name: str, found: list[str]) -> None:
    assert [one.name for one in named(name)] == found
