"""`prices`: on a database and against a server, for programs and for people, and files of any kind."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from .conftest import Run, Served, run_command

SHARED = Path(__file__).parents[4] / "shared" / "prices"
CARD = {
    "provider": "google",
    "model": "gemini-x",
    "effective_from": "2026-01-01",
    "rates": {"input": "1.25", "output": "10", "cache_read": "0.31"},
    "fees": {
        "request": "0.005",
        "web_search": {"usd_per_1000": {"low": "5", "medium": "8", "high": "12"}},
        "image": "0.04",
    },
    "tiers": [{"when": {"total_input_tokens_gt": 1000}, "rates": {"input": "2.5"}}],
    "service_tiers": {
        "batch": {
            "rates": {"input": "0.625"},
            "tiers": [{"when": {"total_input_tokens_gt": 1000}, "rates": {"input": "1.25"}}],
        },
    },
    "schedule": [
        {
            "when": {"utc_time": "16:30-00:30", "weekdays_utc": [1, 2, 3, 4, 5]},
            "rates": {"input": "0.6"},
        },
        {"when": {"weekdays_utc": [6, 7]}, "rates": {"input": "0.5"}},
    ],
    "regions": {"us": "1.1", "*": "1.2"},
}
COSTED = {
    "format": "cost-cases/1",
    "rate_cards": {"x": {**CARD, "schedule": None}},
    "cases": [
        {
            "id": "right",
            "provider": "google",
            "model": "gemini-x",
            "at": "2026-06-01T00:00:00Z",
            "rate_card": "x",
            "usage": {"input_tokens": 1000},
            "expected": {"cost_usd": "0.00625"},
        }
    ],
}
QUOTED = {
    "format": "verify-cases/1",
    "cases": [
        {
            "provider": "openai",
            "model": "m",
            "quotes": {
                "litellm": {"input": "1", "output": "2"},
                "genai": {"input": "1", "output": "2"},
            },
            "expected": {"status": "accepted", "input": "1", "output": "2"},
        }
    ],
}
NAMED = {
    "format": "name-cases/1",
    "as_of": "2026-06-01",
    "cases": [
        {
            "name": "Gemini-X ",
            "provider_hint": "gemini",
            "answer": {"provider": "google", "model": "gemini-x", "input_usd_per_mtok": "1.25"},
        }
    ],
}


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def written(content: Any, name: str = "file.json") -> str:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    return written


@pytest.fixture
def run_there(served: Served, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Against a server only: much is asked of it."""
    monkeypatch.setenv("BUDGET_URL", served.url)
    return run_command


def changed(file: Any, place: list[Any], value: Any) -> Any:
    """The file with another value at a place."""
    copy = json.loads(json.dumps(file))
    inner = copy
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return copy


# Prices -------------------------------------------------------------------------------------------


def test_any_unit_can_be_set(run) -> None:
    made = run(
        *("prices", "set", "openai/gpt-audio", "--input", "2.5", "--rate", "input_audio=40"),
        *("--fee", "web_search=10/1000", "--fee", "image=0.04", "--from", "2026-01-01"),
    )

    assert made.code == 0
    assert made.json["card"] == {
        "rates": {"input": "2.5", "input_audio": "40"},
        "fees": {"web_search": {"usd_per_1000": "10"}, "image": {"usd": "0.04"}},
    }
    costed = run(
        *("prices", "calculate", "gpt-audio", "--input", "3", "--unit", "input_audio=1000"),
        *("--unit", "web_search=1"),
    )
    assert costed.json["cost"] == 0.0500075
    assert run("prices", "show", "gpt-audio", "--at", "2025-12-31").code == 5


NO_PRICES = [
    [],
    ["--rate", "input"],
    ["--rate", "=1"],
    ["--rate", "inputs=1"],
    ["--rate", "input=much"],
    ["--fee", "web_search=10/7"],
    ["--fee", "input=1"],
    ["--input", "x"],
]


def test_a_price_that_cannot_be_ends_with_3(run_there) -> None:
    for words in NO_PRICES:
        assert run_there("prices", "set", "p/m", *words).code == 3, words
    assert run_there("prices", "list").json == []


def test_cards_are_loaded_listed_and_shown(run, write) -> None:
    loaded = run("prices", "load", write({"rate_cards": {"x": CARD}}, "cards.json"))
    as_list = run("prices", "load", write([{**CARD, "model": "y"}]), "--source", "contract")
    single = run("prices", "load", "-", stdin=json.dumps({**CARD, "model": "z"}))

    assert (loaded.json["loaded"], loaded.json["models"]) == (1, 1)
    assert loaded.json["prices"][0]["source"] == "cards.json"
    assert as_list.json["prices"][0]["source"] == "contract"
    assert single.json["prices"][0]["source"] == "loaded"
    listed = run("prices", "list", "--provider", "gemini", "--model", "gemini-*").json
    assert [one["model"] for one in listed] == ["gemini-x"]
    assert run("prices", "list", "--at", "2025-01-01").json == []
    assert run("prices", "list", "--known", "2026-01-01").json == []
    assert run("prices", "show", "models/gemini-x").json["resolved_by"]
    assert run("prices", "show", "gemini-x", "--provider", "google-gla").code == 0
    assert len(run("prices", "history", "gemini-x").json) == 1
    assert run("prices", "list", "--age").json == []
    assert run("prices", "models").json == []


NO_FILES = [
    (changed({"cards": [CARD]}, ["cards", 0, "rates", "input"], "-1"), "cards[0].rates.input"),
    ({"rate_cards": {"x": {**CARD, "unit": "per token"}}}, "rate_cards.x.unit"),
    ({"cards": []}, "cards"),
    ({"rules": []}, '"rate_cards"'),
    ("7", '"rate_cards"'),
    ('{"cards": [}', "line 1, column 12"),
    ('{"cards": [1e9999999999999999999]}', "is no JSON"),
    ('{"cards": [NaN]}', "NaN is no number"),
    ('{"cards": [],\n "cards": []}', '"cards" is there twice'),
    ("[" * 100_000, "too many objects"),
]


def test_a_file_that_cannot_be_loaded_is_told_with_its_place(run_there, write) -> None:
    for content, place in NO_FILES:
        path = write(content)

        told = run_there("prices", "load", path)

        assert told.code == 3, place
        assert path in told.err
        assert place in told.err
    assert run_there("prices", "list").json == []


def test_a_file_that_is_not_there_or_no_text_is_told(run_here, tmp_path) -> None:
    (tmp_path / "latin").write_bytes(b"\xff\xfe")

    for path, why in (("none.json", "no such file"), ("latin", "UTF-8"), (".", "directory")):
        told = run_here("prices", "load", str(tmp_path / path))
        assert told.code == 3
        assert str(tmp_path / path) in told.err
        assert why in told.err


# Costs --------------------------------------------------------------------------------------------


def test_a_call_is_costed_by_counts_and_by_its_response(run, write) -> None:
    run("prices", "load", write({"cards": [{**CARD, "schedule": None}]}))
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 1, "totalTokenCount": 11}
    answer = {"modelVersion": "gemini-x", "usageMetadata": usage}

    by_counts = run(
        *("prices", "calculate", "google/gemini-x", "--input", "10", "--output", "1"),
        *("--at", "2026-06-01", "--requests", "0"),
    )
    by_answer = run("prices", "calculate", "--response", write(answer))
    by_stdin = run(
        *("prices", "calculate", "gemini-x", "--response", "-", "--api", "google.generate"),
        stdin=json.dumps([answer]),
    )
    in_batch = run(
        *("prices", "calculate", "gemini-x", "--response", write(answer)),
        *("--context", "processing=batch", "--context", "images=2"),
    )

    assert by_counts.json["cost"] == 0.0000225
    assert by_answer.json["cost"] == by_stdin.json["cost"] == 0.0050225
    assert in_batch.json["cost"] == 0.08501625
    assert in_batch.json["why"] == ["service tier batch"]


@pytest.mark.parametrize(
    "text",
    [
        'event: message\ndata: {"model": "m"}\n\ndata: {"usage": %s}\n\ndata: [DONE]\n',
        '{"model": "m"}\n{"usage": %s}\n',
        '[{"model": "m"}, {"usage": %s}]',
    ],
)
def test_a_stream_as_it_was_written_down_is_costed(run_there, write, text) -> None:
    run_there("prices", "set", "openai/m", "--input", "1", "--output", "2")
    usage = '{"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8}'

    told = run_there("prices", "calculate", "openai/m", "--response", write(text % usage))

    assert (told.code, told.json["cost"]) == (0, 0.000009)


NO_COSTS = [
    (["p/m"], "invalid: usage"),
    (["p/m", "--unit", "input"], "invalid: unit"),
    (["p/m", "--unit", "input=many"], "no number"),
    (["p/m", "--unit", "input=-1"], "no number"),
    (["p/m", "--unit", "input=0.5"], "invalid_usage"),
    (["p/m", "--input", "1", "--context", "batch"], "invalid: context"),
    (["p/m", "--input", "1", "--context", "images=x"], "no number"),
    (["p/m", "--input", "1", "--context", "moon=1"], "invalid_context"),
    (["p/m", "--reasoning", "1", "--cache-write", "1"], "unpriced_unit"),
    (["p/m", "--input", "1", "--at", "soon"], "at: "),
    (["p/maxi", "--input", "1"], "unknown_price"),
    (["--input", "1"], "send the model\n"),
    (["p/m", "--cases", "none.json"], "give --cases alone"),
    (["--input", "1", "--cases", "none.json"], "give --cases alone"),
    (["p/m", "--response", "none.json"], "no such file"),
]


def test_a_cost_that_cannot_be_told_ends_with_3(run_there) -> None:
    run_there("prices", "set", "p/m", "--input", "1", "--output", "2")

    for words, said in NO_COSTS:
        told = run_there("prices", "calculate", *words)

        assert told.code == 3, words
        assert said in told.err
        assert told.out == ""


def test_a_name_without_its_seller_is_not_cut_at_its_first_stroke(run_there) -> None:
    told = run_there("prices", "set", "models/gemini-mine", "--input", "1")

    assert told.code == 3
    assert "write google/models/gemini-mine" in told.err


# Files of cases -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "file", "count"),
    [
        (["calculate", "--cases"], "cost-cases.json", 90),
        (["check-quotes"], "verify-cases.json", 39),
    ],
)
def test_the_recorded_files_come_out_as_expected_and_no_database_is_opened(
    run_here, monkeypatch, words, file, count
) -> None:
    monkeypatch.setenv("BUDGET_DATABASE_URL", "sqlite:////nowhere/at/all.db")

    told = run_here("prices", *words, str(SHARED / file))

    assert told.code == 0
    assert len(told.json) == count
    assert [one for one in told.json if one["differs"]] == []


@pytest.mark.parametrize(
    ("words", "file", "place", "value"),
    [
        (["calculate", "--cases"], COSTED, ["cases", 0, "expected", "cost_usd"], "0.00626"),
        (["check-quotes"], QUOTED, ["cases", 0, "expected", "output"], "3"),
        (["names"], NAMED, ["cases", 0, "answer", "input_usd_per_mtok"], "1.5"),
    ],
)
def test_a_case_that_differs_is_told_and_ends_with_1(run, write, words, file, place, value) -> None:
    run("prices", "load", write({"cards": [{**CARD, "schedule": None}]}))

    same = run("prices", *words, write(file))
    other = run("prices", *words, write(changed(file, place, value)))

    assert (same.code, [one["differs"] for one in same.json]) == (0, [""])
    assert other.code == 1
    assert value in other.json[0]["differs"]


@pytest.mark.parametrize(
    ("words", "file"),
    [(["calculate", "--cases"], COSTED), (["check-quotes"], QUOTED), (["names"], NAMED)],
)
def test_a_file_of_another_kind_is_refused(run_here, write, words, file) -> None:
    for content in (changed(file, ["format"], "cases/9"), changed(file, ["cases"], {}), [], "{"):
        path = write(content)
        told = run_here("prices", *words, path)
        assert told.code == 3
        assert told.err.startswith(f"invalid_file: {path}: ")


@pytest.mark.parametrize("words", [["calculate", "--cases"], ["check-quotes"], ["names"], ["load"]])
def test_a_file_with_half_a_character_is_refused(run_here, write, words) -> None:
    path = write(r'{"format": "x", "cards": ["\ud83d\ude42", "\ud83d"]}')
    told = run_here("prices", *words, path)

    assert told.code == 3
    assert told.err.startswith(f"invalid_file: {path}: has half a character")


# Terms --------------------------------------------------------------------------------------------


def test_names_and_tiers_are_said_and_listed(run) -> None:
    run("prices", "set", "azure/gpt-4o", "--input", "2.5", "--output", "10")

    made = run("prices", "name", "prod", "azure/gpt-4o", "--provider", "azure")
    tier = run("prices", "tier", "azure/gpt-4o", "local_midweight")
    run("prices", "tier", "azure/gpt-4o", "none")

    assert (made.json["to_model"], made.json["in_force"]) == ("gpt-4o", True)
    assert run("prices", "show", "prod", "--provider", "azure").json["model"] == "gpt-4o"
    assert tier.json["tier"] == "local_midweight"
    assert [one["tier"] for one in run("prices", "tier").json] == ["local_midweight", None]
    assert len(run("prices", "name").json) == 1


def test_contracts_are_agreed_and_listed(run) -> None:
    run("prices", "set", "openai/m", "--input", "1", "--output", "1")

    made = run("prices", "contract", "openai", "0.85", "--from", "2026-01-01", "--to", "2099-01-01")
    run("prices", "contract", "openai/m", "0.5")

    assert (made.json["factor"], made.json["in_force"]) == (0.85, True)
    assert made.json["valid_from"] == "2026-01-01T00:00:00+00:00"
    assert [one["model"] for one in run("prices", "contract").json] == [None, "m"]


NO_TERMS = [
    (["contract", "openai"], 3),
    (["contract", "openai", "much"], 3),
    (["contract", "openai", "85"], 3),
    (["contract", "opnai", "0.5"], 5),
    (["contract", "openai", "0.5", "--to", "2020-01-01"], 3),
    (["name", "prod"], 3),
    (["name", "prod", "gpt-4o"], 3),
    (["name", "prod", "openai/gpt-9"], 5),
    (["tier", "openai/m"], 3),
    (["tier", "m", "local_midweight"], 3),
    (["tier", "openai/m", "huge"], 3),
]


def test_terms_that_cannot_be_are_refused(run_there) -> None:
    run_there("prices", "set", "openai/m", "--input", "1", "--output", "1")

    for words, code in NO_TERMS:
        assert run_there("prices", *words).code == code, words
        assert run_there("prices", words[0]).json == []


# For people ---------------------------------------------------------------------------------------


def test_a_table_of_prices_has_no_empty_columns_and_short_words(shown, write) -> None:
    card = {"provider": "p", "model": "m", "rates": {"input": "1"}, "effective_from": "2026-01-01"}
    told = {**card, "source": "litellm; curated: what a person knows better, at length"}
    shown("prices", "load", write({"cards": [told]}, "cards.json"))

    listed = shown("prices", "list").out.splitlines()
    history = shown("prices", "history", "p/m").out.splitlines()

    assert listed[0].split() == ["model", "input", "output", "from", "source"]
    assert listed[2].split() == ["p/m", "$1.00", "–", "2026-01-01", "litellm;", "curated"]
    assert history[0].split()[:4] == ["input", "output", "from", "to"]


def test_a_price_is_laid_out_whole(shown, write) -> None:
    shown("prices", "load", write({"cards": [CARD]}, "cards.json"))

    lines = shown("prices", "show", "gemini-x").out.splitlines()

    assert lines[0] == "google/gemini-x"
    assert lines[1] == "  gemini-x was understood by: maker google, exact"
    assert lines[2].startswith("  valid from 2026-01-01 00:00 UTC, known since ")
    assert lines[3:] == [
        "  source: cards.json",
        "  USD per 1,000,000 tokens",
        "    input              $1.25",
        "    output             $10.00",
        "    cache read         $0.31",
        "    request            $0.005 each",
        "    web search         low $5.00, medium $8.00, high $12.00 per 1,000",
        "    image              $0.04 each",
        "  input above 1,000 tokens, for the whole request",
        "    input              $2.50",
        "  service tier batch",
        "    input              $0.625",
        "  service tier batch, input above 1,000 tokens",
        "    input              $1.25",
        "  16:30-00:30 UTC, Monday to Friday",
        "    input              $0.60",
        "  all day UTC, Saturday, Sunday",
        "    input              $0.50",
        "  by region, on the rates of tokens",
        "    us                 × 1.1",
        "    any other          × 1.2",
    ]


def test_a_price_says_what_it_comes_to_in_a_region(shown, write) -> None:
    name = "anthropic.claude-x-v1:0"
    card = {"provider": "bedrock", "model": name, "rates": {"input": "5"}, "regions": {"*": "1.1"}}
    shown("prices", "load", write({"cards": [card]}, "cards.json"))

    told = shown("prices", "show", f"us.{name}").out.splitlines()

    assert told[-2:] == ["  region of this name: us", "  so it charges $5.50 input"]
    assert "so it charges" not in shown("prices", "show", name).out


def test_a_cost_is_a_table_with_its_total(shown, write) -> None:
    shown("prices", "load", write({"cards": [{**CARD, "schedule": None}]}, "cards.json"))

    told = shown(
        *("prices", "calculate", "google/gemini-x", "--input", "1001", "--cache-read", "3"),
        *("--at", "2026-06-01"),
    ).out.splitlines()

    assert [line.split() for line in told[2:5]] == [
        ["input", "1,001", "$2.50", "1,000,000", "$0.0025025"],
        ["cache", "read", "3", "$0.31", "1,000,000", "$0.00000093"],
        ["request", "1", "$0.005", "each", "$0.005"],
    ]
    assert told[5:] == [
        "$0.00750343 by the price of google/gemini-x (prefix google, exact)",
        "  at 2026-06-01 00:00 UTC, from cards.json",
        "  input of 1,004 tokens is above 1,000",
    ]


def test_what_the_provider_says_stands_beside_the_cost(shown, write) -> None:
    shown("prices", "set", "openrouter/a/b", "--input", "1", "--output", "2")
    usage = {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11, "cost": 0.000012}
    more = {**usage, "cost": 0.000013}

    for told, said in ((usage, "the same"), (more, "-$0.000001 apart")):
        path = write({"model": "a/b", "usage": told})
        out = shown("prices", "calculate", "openrouter/a/b", "--response", path).out
        assert f"  the provider says ${Decimal(str(told['cost'])):f}: {said}\n" in out


def test_files_of_cases_end_in_a_line(shown, write) -> None:
    shown("prices", "load", write({"cards": [{**CARD, "schedule": None}]}))
    wrong = changed(COSTED, ["cases", 0, "expected", "cost_usd"], "1")
    costed = shown("prices", "calculate", "--cases", write(COSTED)).out
    differs = shown("prices", "calculate", "--cases", write(wrong))
    quoted = shown("prices", "check-quotes", write(QUOTED)).out
    named = shown("prices", "names", write(NAMED)).out

    assert costed == "1 case: all as expected\n"
    assert "cost 0.00625, expected 1" in differs.out
    assert differs.out.endswith("1 case: 1 not as expected\n")
    assert quoted.splitlines()[0] == "openai/m: accepted 1/2"
    assert quoted.splitlines()[1].startswith("    ")
    assert named.splitlines()[0].startswith("Gemini-X  → google/gemini-x (")
    assert named.endswith("1 case: all as expected\n")
    wrong = changed(NAMED, ["cases", 0, "answer"], None)
    assert "    differs: expected to be unknown" in shown("prices", "names", write(wrong)).out
    wrong = changed(QUOTED, ["cases", 0, "expected", "input"], "7")
    assert (
        "    differs: input is 1, expected 7" in shown("prices", "check-quotes", write(wrong)).out
    )


def test_terms_are_told_in_a_line_and_listed_in_tables(shown) -> None:
    assert shown("prices", "contract").out == "No contracts.\n"
    assert shown("prices", "name").out == "No names of your own.\n"
    assert shown("prices", "tier").out == "No tiers were set here.\n"
    shown("prices", "set", "openai/m", "--input", "1", "--output", "1")

    all_ = shown("prices", "contract", "openai", "0.85", "--from", "2026-01-01").out
    one = shown(
        "prices", "contract", "openai/m", "0.5", "--from", "2026-01-01", "--to", "2099-01-01"
    )
    named = shown("prices", "name", "n", "openai/m").out
    at = shown("prices", "name", "n", "openai/m", "--provider", "azure").out
    tier = shown("prices", "tier", "openai/m", "none").out

    assert all_ == "Agreed: prices of openai × 0.85, from 2026-01-01 00:00 UTC.\n"
    assert "openai/m × 0.5, from 2026-01-01 00:00 UTC to 2099-01-01 00:00 UTC." in one.out
    assert named.startswith("Named: n means openai/m, from ")
    assert at.startswith("Named: n at azure means openai/m, from ")
    assert tier == "Set: openai/m is of no tier.\n"
    every = shown("prices", "tier", "mistral/*", "local_midweight").out
    assert every == "Set: mistral/* is of local_midweight.\n"
    for noun, word in (("contract", "0.85"), ("name", "any provider"), ("tier", "openai/m")):
        assert word in shown("prices", noun).out


def test_lists_say_what_is_not_there(shown) -> None:
    assert shown("prices", "list", "--provider", "x").out == "No such prices.\n"
    assert shown("prices", "list", "--age").out.startswith("No price list was taken over")
    assert shown("prices", "models").out.startswith("No facts of such models are known")
