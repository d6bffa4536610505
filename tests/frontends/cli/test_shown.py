"""What people see on a terminal."""

import re

import pytest

from tekton_budget.frontends.cli.terminal.output import ago, csv_cell, moment_text, money, units


def lines_of(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def test_the_demo_shows_five_calls_pass_and_five_denied_in_full(shown) -> None:
    told = shown("demo")

    lines = lines_of(told.out)
    assert told.code == 0
    assert sum("left" in line and "denied" not in line for line in lines) == 5
    denied = [line for line in lines if " denied " in line]
    assert len(denied) == 5
    for line in denied:
        assert 'but "team=demo daily" has $0.10 of $1.00 left ($0.90 spent)' in line
        assert "More: tekton-budget credit team=demo" in line
    assert "5 calls passed, 5 were denied, $0.90 was spent: not a cent too much." in told.out
    assert "tekton-budget set team=demo 1usd/day" in told.out


def test_the_demo_as_data(run_here) -> None:
    calls = run_here("demo").json["calls"]

    assert [call["decision"] for call in calls] == ["allow"] * 4 + ["warn"] + ["deny"] * 5


def test_the_commands_of_the_demo_work(shown) -> None:
    commands = re.findall(r"^  tekton-budget (.*?)(?:  .*)?$", shown("demo").out, re.MULTILINE)
    assert len(commands) == 5

    for words in commands:
        assert shown(*words.split(), *(["--yes"] if words.endswith("off") else [])).code == 0


def test_set_says_what_it_means(shown) -> None:
    new = shown("set", "team=a", "2000usd/month").out
    shown("usage", "record", "team=a", "--cost", "12.3")
    changed = shown("set", "team=a", "1500usd/month").out

    assert lines_of(new)[0] == 'New: "team=a monthly" – team=a: $2,000.00 a month (denies)'
    assert "This would now be denied:\n  tekton-budget allocations create team=a --cost=" in new
    assert "Changed:" in changed
    assert "So far $12.30 spent, $0.00 held, $1,487.70 left; resets " in changed


def test_set_says_what_is_kept_and_which_models_come_next(shown) -> None:
    first = lines_of(shown("set", "2usd/day", "--landing", "2.5%", "--ladder", "a,b").out)[0]

    assert first.endswith("$2.00 a day (denies, keeps 2.5 % for the end, else by a, b)")


def test_a_change_says_what_ended_with_it(shown) -> None:
    shown("set", "5usd/day", "--per", "user")
    shown("set", "--for", "user=ci", "unlimited/day")
    changed = shown("policies", "change", "daily per user", 'per=["team"]').out

    assert lines_of(changed)[1:] == ["  replaced", '  exceptions_ended: ["ci"]']


def test_status_marks_the_limit_that_is_met_first(shown) -> None:
    shown("set", "team=a", "10usd/month")
    shown("set", "team=a", "5Mtokens/day")
    shown("set", "model=gpt-*", "1usd/day")
    shown("usage", "record", "team=a", "--cost", "7", "--tokens", "1000")

    lines = lines_of(shown("status", "team=a").out)

    head = "limit group used spent held left resets"
    assert lines[0].split() == head.split()
    assert re.match(r"▶ team=a monthly +███████··· 70% +\$7\.00 +\$0\.00 +\$3\.00 ", lines[2])
    assert re.match(r"  team=a daily +·+ 0% +1k tokens +0 tokens +4,999,000 tokens", lines[3])
    assert lines[-1] == 'Nearly: "model=gpt-* daily" asks for model=gpt-* (it is not given).'


def test_nothing_yet_says_what_to_do(shown) -> None:
    assert shown("status").out == "No limits yet. Set one: tekton-budget set 5usd/day\n"
    assert shown("policies", "list").out.startswith("No limits yet.")
    assert shown("usage", "list").out == "No usage.\n"
    assert shown("prices", "list").out.startswith("No prices yet. Set one: tekton-budget prices")
    assert shown("keys", "list").out == "No keys: only this machine may ask.\n"
    assert shown("budgets", "list").out.startswith("No budgets yet.")
    assert shown("allocations", "list").out == "No allocations.\n"


def test_lists_are_tables(shown) -> None:
    shown("set", "50usd/month", "--per", "user")
    shown("prices", "set", "openai/gpt-5-mini", "--input", "0.25", "--output", "2")
    shown("keys", "create", "ci", "--label", "team=a")
    shown("usage", "record", "user=alice", "model=x", "--cost", "0.5", "--id", "r1")
    shown("allocations", "create", "user=alice", "--cost", "0.5", "--id", "a1")

    assert "monthly per user   all     $50.00   a month   user" in shown("policies", "list").out
    assert "openai/gpt-5-mini   $0.25    $2.00" in shown("prices", "list").out
    assert re.search(r"ci +tb_live_\S+… +client +team=a", shown("keys", "list").out)
    assert re.search(r"x +user=alice +0 +0 +\$0\.50 +caller +r1", shown("usage", "list").out)
    assert re.search(r"a1 +active +user=alice +\$0\.50", shown("allocations", "list").out)
    assert "alice" in shown("policies", "groups", "monthly per user").out
    assert "    output             $2.00\n" in shown("prices", "show", "gpt-5-mini").out
    assert "BUDGET_PORT" in shown("config").out


def test_a_secret_is_shown_once_with_the_line_to_paste(shown) -> None:
    made = shown("keys", "create", "ci", "--label", "team=a", "--expires", "90d").out

    assert 'Key "ci": client for team=a, until ' in made
    assert re.search(r"^  export BUDGET_KEY=tb_live_\S{43}$", made, re.MULTILINE)


def test_a_call_by_hand_is_told_in_words(shown) -> None:
    shown("set", "1usd/day")

    granted = shown("allocations", "create", "--cost", "0.4", "--id", "mine").out
    settled = shown("allocations", "settle", "mine", "--cost", "0.1").out
    dry = shown("allocations", "create", "--cost", "0.4", "--dry-run").out

    assert lines_of(granted)[0].startswith("Granted (allow): $0.40, until ")
    assert '  "daily" has $0.60 left' in granted
    assert "  tekton-budget allocations settle mine --cost 0.10" in granted
    assert lines_of(settled)[0] == "settled: $0.10 spent, $0.30 given back."
    assert lines_of(dry)[0] == "Would be granted (allow): $0.40."


def test_a_report_adds_up(shown) -> None:
    shown("usage", "record", "team=a", "model=x", "--cost", "0.5")
    shown("usage", "record", "team=b", "model=x", "--cost", "0.25")

    report = lines_of(shown("report").out)
    summary = shown("usage", "summary", "--by", "team").out

    assert report[0].endswith(": $0.75")
    assert [line.split()[:2] for line in report[3:]] == [["a", "x"], ["b", "x"]]
    assert summary.startswith("$0.75 for 2 calls, 0 tokens")


def test_verify_counts_what_it_compared(shown) -> None:
    shown("set", "1usd/day")
    shown("usage", "record", "--cost", "0.1")

    assert re.fullmatch(
        r"\d+ journal rows?, 1 balance, 1 usage record, 0 active allocations, \d+ sums: all agree\.\n",
        shown("verify").out,
    )


def test_ending_asks_and_takes_no_for_an_answer(shown, monkeypatch) -> None:
    shown("set", "1usd/day")
    monkeypatch.setattr("tekton_budget.frontends.cli.terminal.session.is_answered", lambda: True)

    kept = shown("set", "off", stdin="n\n")
    ended = shown("set", "off", stdin="y\n")

    assert kept.code == 2
    assert "Nothing was changed." in kept.err
    assert 'End "daily"?' in ended.err
    assert ended.out.endswith('Ended: "daily". What it counted can still be read.\n')


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (True, "true"), ("=1+1", "'=1+1"), ("-5", "'-5"), (7, "7"), ([1], "[1]")],
)
def test_cells_of_sheets_are_never_formulas(value, text) -> None:
    assert csv_cell(value) == text


def test_amounts_and_times_in_words() -> None:
    assert money(None) == "–"
    assert units(None) == "–"
    assert units({"tokens": None, "cost": None, "requests": 5}) == "5 requests"
    assert units({"tokens": -5, "cost": 1, "requests": None}) == "-5 tokens, $1.00"
    assert moment_text("2026-11-23T10:00:00+01:00") == "2026-11-23 10:00 +01:00"
    assert moment_text(None) == "–"
    assert ago(None) == "never"
