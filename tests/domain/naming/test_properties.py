"""What holds of any name: no crash, no invented key, no growth, no name that nobody listed."""

from concurrent.futures import ThreadPoolExecutor

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.domain.naming.names_of_sources import (
    answered,
    at,
    carded,
    curated,
    listed,
    slugs,
    without_aliases,
)

from tekton_budget.domain.naming import Alias, Resolution, Resolver, Unknown, seller_id
from tekton_budget.domain.naming.spelling import cleaned, folded

AS_OF = at("2026-11-20")
ALIASES = [*curated(), *slugs()]
KEYS = without_aliases([*answered(), *carded(), *listed()], ALIASES)
KEYS_KNOWN = frozenset(KEYS)
BOOK = Resolver(KEYS, ALIASES)

LISTED = {
    (seller, folded(seller, name))
    for seller, name in (
        *((seller_id(provider), model) for provider, model in KEYS),
        *((seller_id(str(alias.provider)), alias.name) for alias in ALIASES),
    )
}

PIECES = st.sampled_from(
    [
        "gpt-",
        "4o",
        "claude",
        "-sonnet",
        "-4",
        "-5",
        "/",
        ":",
        ".",
        "@",
        "us.",
        "eu/",
        "azure/",
        "bedrock/",
        "openrouter/",
        "ft:",
        "-v1:0",
        ":200k",
        "anthropic.",
        "arn:aws:bedrock:us-east-1:1:",
        "inference-profile/",
        "foundation-model/",
        "models/",
        "publishers/",
        "projects/p/locations/us-east5/",
        "accounts/fireworks/models/",
        "-latest",
        ":free",
        ":thinking",
        "-high",
        "@default",
        "-2024-08-06",
        "-20250514",
        "'",
        '"',
        "%",
        "%3A",
        "gemini",
        "-2.5",
        "-flash",
        "é",
        "\x00",
    ]
)
NAMES = st.one_of(
    st.lists(PIECES, max_size=9).map("".join),
    st.text(max_size=40),
    st.sampled_from([model for _, model in KEYS]),
    st.sampled_from([alias.name for alias in ALIASES]),
)
PROVIDERS = st.one_of(
    st.none(),
    st.sampled_from(sorted({provider for provider, _ in KEYS})),
    st.text(max_size=12),
)
MOMENTS = st.integers(-(2**63), 2**63)


# What a seller's grammar takes off a name says so on the path.
READ_AWAY = ("effort ", "region ", "context ", "fine-tuned", "place ", "variant ", "maker ")


@given(PROVIDERS, NAMES, MOMENTS)
@settings(max_examples=150, deadline=None)
def test_any_name_gets_an_answer_and_the_same_one_from_another_resolver(
    provider: str | None, name: str, at_us: int
) -> None:
    got = BOOK.resolve(provider, name, at_us)

    if isinstance(got, Resolution):
        assert (got.provider, got.model) in KEYS_KNOWN
        assert got.path
    else:
        assert len(got.suggestions) <= 3
        assert {text.partition("/")[::2] for text in got.suggestions} <= KEYS_KNOWN
    assert BOOK.resolve(provider, name, at_us) == got
    assert FRESH.resolve(provider, name, at_us) == got


FRESH = Resolver(reversed(KEYS), ALIASES, cache_size=0)  # in another order, remembering nothing


@given(st.sampled_from(KEYS))
@settings(max_examples=60, deadline=None)
def test_every_key_means_itself_however_it_is_wrapped(key: tuple[str, str]) -> None:
    provider, model = key

    assert BOOK.resolve(provider, model, AS_OF)[:2] == key
    assert FRESH.resolve(f" {provider.upper()}", f" {model.upper()} ", AS_OF)[:2] == key
    assert FRESH.resolve(provider, f"{provider}/{model}", AS_OF)[:2] == key
    assert FRESH.resolve(None, f"{provider}/{model}", AS_OF)[:2] == key


@given(
    st.sampled_from(KEYS),
    st.text("abcdefghijklmnopqrstuvwxyz0123456789.-", min_size=1, max_size=12),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_a_name_with_more_at_its_end_is_unknown_unless_listed(
    key: tuple[str, str], more: str, at_front: bool
) -> None:
    seller, model = seller_id(key[0]), key[1]
    name = f"{more}{model}" if at_front else f"{model}{more}"
    form = cleaned(name)
    assert form is not None
    got = BOOK.resolve(key[0], name, AS_OF)

    if isinstance(got, Resolution):
        read = any(step.startswith(READ_AWAY) for step in got.path)
        assert read or (seller, folded(seller, form)) in LISTED, (name, got)


def test_the_cache_is_bounded_under_any_number_of_unknown_names() -> None:
    book = Resolver([("openai", "gpt-4o")], cache_size=64)
    for n in range(5000):
        assert isinstance(book.resolve("openai", f"gpt-4o-{n}", n), Unknown)

    assert book.cached() == 64
    assert book.resolve("openai", "GPT-4o", 0)[1] == "gpt-4o"


def test_what_is_too_long_to_be_a_name_is_not_remembered() -> None:
    book = Resolver([("openai", "gpt-4o")])
    book.resolve("openai", "x" * 301, 0)
    book.resolve("o" * 101, "gpt-4o", 0)

    assert book.cached() == 0


def test_moments_of_one_era_share_one_answer_and_a_new_era_asks_again() -> None:
    book = Resolver(
        [("a", "old"), ("a", "new")],
        [Alias("a", "x", "a", "old", None, 10), Alias("a", "x", "a", "new", 10)],
    )
    got = [book.resolve("a", "x", at_us)[1] for at_us in (-(2**70), 0, 9, 10, 11, 2**70)]

    assert got == ["old", "old", "old", "new", "new", "new"]
    assert book.cached() == 2


def test_threads_share_a_resolver() -> None:
    book = Resolver(KEYS, ALIASES, cache_size=64)
    names = [(provider, model.upper()) for provider, model in KEYS[:200]]

    def ask(_: int) -> list[object]:
        return [book.resolve(provider, name, AS_OF) for provider, name in names]

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(ask, range(4)))
    assert all(answer == answers[0] for answer in answers)
    assert {answer[:2] for answer in answers[0]} == set(KEYS[:200])  # type: ignore[index]
    assert book.cached() == 64


def test_hostile_names_are_answered_within_bounds() -> None:
    repeated = "gpt-claude-gemini-mistral-" * 11
    for name in (repeated, "-1" * 150, "." * 300, "ft:" * 100, "a/" * 150, ":" * 300, "1p" * 150):
        for provider in (None, "openai", "bedrock", "fireworks", "openrouter", "vertex", "azure"):
            assert isinstance(BOOK.resolve(provider, name, AS_OF), Unknown)
