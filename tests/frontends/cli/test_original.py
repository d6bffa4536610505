"""The original component's command line: its words, spellings and options work as ever."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tekton_budget.domain.spoken import LINE
from tekton_budget.frontends.cli.original import modernised

from .conftest import Run, run_process, run_warm

VALUED = frozenset({"--url", "--key", "--database-url", "--config"})
HAIKU = ("anthropic/claude-3-haiku", "--input", "0.25", "--output", "1.25")


def test_a_limit_is_set_and_shown_in_the_original_s_words(run: Run) -> None:
    made = run("set-limit", "daily", "5", "--provider", "anthropic")
    shown = run("status", "--period", "daily", "--provider", "anthropic")

    assert made.code == 0
    assert "warn: calls beyond it are let through" in made.out
    assert "--policy-type hard_limit" in made.out
    assert "provider=anthropic daily: $0.00 of $5.00 (0.0 %)" in shown.out


@pytest.mark.parametrize(
    "words",
    [
        ("get-usage", "daily", "--days", "3"),
        ("get_usage", "daily", "--days=3"),
        ("--debug", "get_usage", "daily", "--no-debug", "--days", "3"),
    ],
)
def test_lines_come_out_unless_json_is_asked_for(run: Run, words: tuple[str, ...]) -> None:
    run("usage", "record", "component=ergon", "--cost", "0.5")
    lines = run(*words)
    data = run(*words, "--format", "json")

    assert "$0.50 for 0 tokens" in lines.out
    assert "ergon: $0.50" in lines.out
    assert data.json["totals"]["cost"] == 0.5
    assert run(*words, "--format=table").out == lines.out
    assert run("--json", *words).json["totals"] == data.json["totals"]


def test_allocations_prices_and_costs(run: Run) -> None:
    run("prices", "set", *HAIKU)
    model = ("--provider", "anthropic", "--model", "claude-3-haiku")
    ask = ("allocate", "create", "--context-id", "c", "--component", "ergon", *model)
    made = run(*ask, "--tokens", "1000", "--format", "json").json
    listed = run("allocate", "list", "--context-id", "c", "--format", "json").json
    released = run("allocate", "release", made["allocation_id"])

    assert [one["allocation_id"] for one in listed["items"]] == [made["allocation_id"]]
    assert "released" in released.out
    assert "no such allocations" in run("allocate", "list", "--active-only").out
    assert made["allocation_id"] in run("allocate", "list", "--all").out
    assert "$0.25" in run("calc_cost", *model, "--input-tokens", "1000000").out
    assert "claude-3-haiku" in run("recommend", "--context-size", "1000").out
    assert "claude-3-haiku" in run("prices", "list", *model, "--format", "table").out


def test_alerts_and_the_update_of_prices(run: Run) -> None:
    run("set-limit", "daily", "0.3")
    run("usage", "record", "--cost", "0.5")
    (alert, *_) = run("alerts", "list", "--severity", "error", "--format", "json").json
    seen = run("alerts", "acknowledge", alert["alert_id"], "--format", "json")
    updated = run("prices", "update")

    assert seen.json["acknowledged"] is True
    assert (
        "nobody was alerted"
        in run(
            "alerts", "list", "--severity", "error", "--unacknowledged", "--format", "table"
        ).out.lower()
    )
    assert (updated.code, updated.out != "") == (0, True)


def test_a_denial_ends_as_it_does_elsewhere(run: Run) -> None:
    run("prices", "set", *HAIKU)
    run("set-limit", "daily", "0.01", "--policy-type", "hard_limit")
    model = ("--provider", "anthropic", "--model", "claude-3-haiku")
    ask = ("allocate", "create", "--context-id", "c", "--component", "ergon", *model)
    denied = run(*ask, "--tokens", "1000000")

    assert denied.code == 4
    assert denied.err.startswith("over_budget: Over budget")
    assert denied.out == ""


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("set-limit", "daily"), 2, "limit is missing"),
        (("set-limit", "daily", "much"), 2, '"much" is not an amount'),
        (("set_limit", "daily", "5", "--colour", "red"), 2, "--colour is no option"),
        (("status", "--period", "nightly"), 2, '"nightly" is not one of'),
        (("status", "--period", "daily", "team=a"), 2, '"team=a" is too much'),
        (("allocate",), 2, "Say which: allocate create"),
        (("allocate", "frobnicate"), 2, "Say which"),
        (("get-usage", "daily", "--format", "xml"), 2, "--format is no option"),
        (("allocate", "release", "nobody"), 5, "allocation_not_found"),
        (("set-limit", "daily", "5", "--budget-id", "nobody"), 5, "budget_not_found"),
        (
            ("calc-cost", "--provider", "x", "--model", "y", "--input-tokens", "5"),
            3,
            "unknown_price",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_exit_code(
    run: Run, words: tuple[str, ...], code: int, told: str
) -> None:
    answer = run(*words)

    assert (answer.code, answer.out) == (code, "")
    assert told in answer.err


@pytest.mark.parametrize(
    "word",
    [
        one
        for one in LINE
        if one.name.split()[0] not in ("start", "status", "alerts") and one.name != "prices list"
    ],
    ids=lambda one: one.name,
)
@pytest.mark.parametrize("sign", ["--help", "-h"])
def test_each_has_its_own_help(run_here: Run, word: Any, sign: str) -> None:
    told = run_here(*word.name.split(), sign)

    assert told.code == 0
    assert told.out.startswith(word.about)
    assert word.usage() in told.out
    if "-" in word.name:
        assert run_here(*word.name.replace("-", "_").split(), sign).out == told.out


def test_the_main_help_has_a_line_and_no_list_of_them(run_here: Run) -> None:
    told = run_here("--help").out

    assert "tekton-budget set-limit daily 5" in re.sub(r"\s+", " ", told)
    listed = told.partition("Commands:")[2]
    for name in ("get-usage", "get_usage", "set-limit", "allocate ", "calc-cost"):
        assert not re.search(rf"^  {re.escape(name)}", listed, re.MULTILINE)


def test_an_api_url_is_a_server(served: Any, unused_port: int, run_here: Run) -> None:
    told = run_here("set-limit", "daily", "5", "--api-url", served.url)
    shown = run_here("--api-url=" + served.url, "status", "--period", "daily")

    assert told.code == 0
    assert "$0.00 of $5.00" in shown.out
    away = run_here("status", "--period", "daily", "--api-url", f"http://127.0.0.1:{unused_port}")
    assert (away.code, away.err.partition(":")[0]) == (7, "unreachable")


def test_in_a_pipe_they_speak_as_they_did(tmp_path: Path) -> None:
    """Programs of the original read its lines, not JSON."""
    said = run_process("set-limit", "daily", "5", folder=tmp_path)
    data = run_warm("status", "--period", "daily", "--format", "json", folder=tmp_path)
    asked = run_warm("get-usage", "daily", folder=tmp_path, BUDGET_OUTPUT="json")

    assert said.stdout.startswith('New limit "daily"')
    assert json.loads(data.stdout)["summary"][0]["cost_limit"] == 5
    assert json.loads(asked.stdout)["totals"]["count"] == 0


@pytest.mark.parametrize(
    ("words", "now"),
    [
        ("status --api-url U", "status --url U"),
        ("--api_url=U status", "--url=U status"),
        ("--debug status", "--debug status"),
        ("status --debug --period daily", "--debug status --period daily"),
        ("--no-debug status --no-debug", "status"),
        ("--format json status", "--json status"),
        ("--url U get-usage daily --format table", "--table --url U get-usage daily"),
        ("--debug", "--debug"),
        # What is of other commands, or of other programs, stays.
        ("run claude --debug --format json status", "run claude --debug --format json status"),
        ("run -- git --api-url U", "run -- git --api-url U"),
        ("status -- --format json", "status -- --format json"),
        ("config --format json", "config --format json"),
        ("--format", "--format"),
        ("", ""),
    ],
)
def test_the_original_s_options_are_put_in_ours(words: str, now: str) -> None:
    assert modernised(words.split(), VALUED) == now.split()
