"""`run`: how a command ends, what it used, how it goes on, and what is refused before it begins."""

import json
import os
import signal
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest
from tests.keeper import warm_program

from tekton_budget.domain.caller import LOCAL
from tekton_budget.frontends.cli.runs.command import Outcome, Stop
from tekton_budget.frontends.cli.runs.summary import lines_of
from tekton_budget.service.runs import RunsQuery

from ..conftest import run_command
from .conftest import CALLER, Beside

PATIENCE_SECONDS = 120


@pytest.mark.parametrize(
    ("words", "code", "expected", "says"),
    [
        ((), "raise SystemExit(3)", 3, "No call came through the gateway"),
        ((), "call('0.5')", 0, "Go on with more: tekton-budget run --name r --add 1 -- "),
        ((), "raise SystemExit(int(call('3') == 402))", 75, "1 call, 1 refused."),
        ((), "call('3')", 0, "1 refused."),
        ((), "call('0.5'); raise SystemExit(3)", 3, "$0.50 of $2.00, 1 call, 75 % of the input"),
        (("--strict",), "", 76, "No call came through"),
        (("--strict",), "call('0.5')", 0, "  m: 40 in, 2 out, $0.50"),
        (("--wall", "1"), "time.sleep(60)", 124, "stopped: its time was up."),
        (("--at-cap", "stop"), "call('2'); time.sleep(60)", 75, "stopped at its cap."),
        (("--at-cap", "stop"), "call('9'); time.sleep(60)", 75, "1 refused; stopped at its cap."),
        (("--at-cap", "deny"), "call('2')", 0, "$2.00 of $2.00"),
    ],
)
def test_a_command_ends_as_the_page_says(
    beside: Beside, words: tuple[str, ...], code: str, expected: int, says: str
) -> None:
    told = beside.run("--name", "r", "--cost", "2", *words, code=code)

    assert (told.code, told.out) == (expected, "")
    assert says in told.err
    run = beside.running.service.run_views.show(LOCAL, "r").run
    assert run.ended_us is not None


def test_the_same_name_goes_on_under_the_same_cap_until_more_is_added(beside: Beside) -> None:
    spend = "raise SystemExit(0 if call('1.5') == 200 else 9)"
    assert beside.run("--name", "n", "--cost", "2", code=spend).code == 0
    assert beside.run("--name", "n", "--cost", "2", code=spend).code == 75
    differs = beside.run("--name", "n", "--cost", "3", code=spend)
    assert (differs.code, "run_cap_differs" in differs.err) == (3, True)
    assert beside.run("--name", "n", "--add", "1", code=spend).code == 0

    assert beside.cost("n") == 3
    assert beside.run("--name", "n", code="raise SystemExit(5)").code == 5, "an old refusal is old"
    shown = run_command("runs", "show", "n").json
    assert (shown["cap"]["cost"], shown["cost"], shown["calls"], shown["refused"]) == (3, 3, 3, 1)
    assert [run["name"] for run in run_command("runs", "list").json] == ["n"]
    assert run_command("runs", "list", "--alive").json == []
    assert run_command("policies", "list").json == []
    assert run_command("status").json["balances"] == []
    assert run_command("runs", "show", "nobody").code == 5


def test_tokens_are_capped_as_well_and_labels_are_on_every_call(beside: Beside) -> None:
    words = ("--tokens", "1k", "--label", "team=a,n=1", "--label", "x=2", "--name", "t")
    code = "open('seen', 'w').write(os.environ['BUDGET_LABELS'])"
    os.chdir(beside.folder)
    assert beside.run(*words, code=code).code == 0

    run = run_command("runs", "show", "t").json
    assert run["labels"] == {"team": "a", "n": "1", "x": "2", "run": "t"}
    assert run["cap"]["tokens"] == 1000
    assert (beside.folder / "seen").read_text() == "team=a,n=1,x=2"


@pytest.mark.parametrize(
    ("words", "variables", "code", "says"),
    [
        (("--", "there-is-none"), {}, 127, "there is no command there-is-none"),
        (("--", "FOLDER/there-is-none"), {}, 127, "there is no command"),
        (("--", "FOLDER"), {}, 126, "no program that may be run"),
        (("--cost", "much", "--", "true"), {}, 3, "no amount"),
        (("--cost", "5ktokens", "--", "true"), {}, 3, "send USD"),
        (("--cost", "0", "--", "true"), {}, 3, "send USD"),
        (("--tokens", "5usd", "--", "true"), {}, 3, "send tokens"),
        (("--add", "5calls", "--", "true"), {}, 3, "USD or tokens"),
        (("--add", "1", "--", "true"), {}, 3, "no cap to add to"),
        (("--land", "x", "--", "true"), {}, 3, "part of the cap"),
        (("--land", "100%", "--", "true"), {}, 3, "part of the cap"),
        (("--at-cap", "never", "--", "true"), {}, 3, "neither deny nor stop"),
        (("--wall", "soon", "--", "true"), {}, 3, "length of time"),
        (("--name", "a b", "--", "true"), {}, 3, "no name of a run"),
        ((), {}, 2, "COMMAND"),
        (("--", "true"), {"CLAUDE_CODE_USE_BEDROCK": "1"}, 2, "CLAUDE_CODE_USE_BEDROCK=1"),
        (("--", "true"), {"OPENAI_BASE_URL": "https://x/v1"}, 2, "BUDGET_UPSTREAM_OPENAI="),
    ],
    ids=lambda one: str(one)[:40],
)
def test_what_is_refused_begins_no_run(
    beside: Beside,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    variables: dict[str, str],
    code: int,
    says: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    told = run_command("run", *(word.replace("FOLDER", str(beside.folder)) for word in words))

    assert told.code == code
    assert says in told.err + told.out
    assert beside.running.service.run_views.listed(LOCAL, RunsQuery()).items == ()


@pytest.mark.parametrize(
    ("words", "note", "kept"),
    [
        ((), "The budget of this run", Decimal("0.2")),
        (("--land-note", "hurry"), "hurry", Decimal("0.2")),
        (("--land-note", "off"), None, Decimal("0.2")),
        (("--land", "0"), None, None),
        (("--land", "25%"), "The budget", Decimal("0.5")),
    ],
)
def test_a_part_is_kept_for_the_end(
    beside: Beside, words: tuple[str, ...], note: str | None, kept: Decimal | None
) -> None:
    beside.run("--name", "l", "--cost", "2", *words, code="")

    view = beside.running.service.run_views.show(LOCAL, "l")
    assert (view.run.land_note or "").startswith(note or "")
    assert (view.run.land_note is None) is (note is None)
    assert view.cap is not None
    kept_nano = view.cap.landing.cost_nano
    assert (Decimal(kept_nano).scaleb(-9) if kept_nano else None) == kept


def test_a_program_that_vanishes_or_cannot_be_started_is_told_as_shells_do(
    beside: Beside, tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_text("#!/there/is/no/interpreter\n")
    script.chmod(0o755)
    assert run_command("run", "--", str(script)).code == 127
    script.write_text("no interpreter at all\n")
    assert run_command("run", "--", str(script)).code == 126


def test_four_nested_runs_in_parallel_spend_no_more_than_the_outer_s_cap(beside: Beside) -> None:
    """Each may spend 1, in steps of 0.25; the outer 2: together exactly that, and no more."""
    python = [sys.executable, "-S"]
    spend = CALLER + "raise SystemExit(1 + sum(call('0.25') == 200 for _ in range(5)))"
    inner = [
        [*warm_program(), "run", "--cost", "1", "--name", f"i{n}", "--", *python, "-c", spend]
        for n in range(4)
    ]
    crew = (
        "import json, subprocess, sys\n"
        f"crew = [subprocess.Popen(one) for one in json.loads({json.dumps(json.dumps(inner))})]\n"
        "print([one.wait() for one in crew])"
    )
    outer = beside.started("run", "--name", "o", "--cost", "2", "--", sys.executable, "-c", crew)
    out, err = outer.communicate(timeout=PATIENCE_SECONDS)

    assert outer.returncode == 0, err
    assert beside.cost("o") == Decimal("2.000000000")
    assert all(beside.cost(f"o/i{n}") <= 1 for n in range(4))
    assert json.loads(out) == [75] * 4, "each was refused at least once"
    assert "with 4 runs inside it" in err


def test_killing_the_outer_ends_what_is_inside_and_lets_nothing_more_through(
    beside: Beside,
) -> None:
    """Both hold: the inner's command is stopped, and its calls would be refused."""
    spend = (
        CALLER
        + f"open({str(beside.folder / 'inner')!r}, 'w').write(str(os.getpid()))\n"
        + "while call('0') == 200: time.sleep(0.05)\ntime.sleep(60)"
    )
    inner = beside.command("run", "--name", "i", "--", sys.executable, "-S", "-c", spend)
    outer = beside.started("run", "--name", "o", "--", *inner)
    pid = int(waited_for(beside.folder / "inner"))
    outer.kill()
    killed = time.monotonic()
    outer.communicate(timeout=PATIENCE_SECONDS)  # its pipes end with the last of all inside

    assert time.monotonic() - killed < 30
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    view = beside.running.service.run_views.show(LOCAL, "o/i")
    assert view.run.ended_us is not None


def waited_for(path: Path) -> str:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up_at:
        if path.exists() and (text := path.read_text()):
            return text
        time.sleep(0.02)
    raise AssertionError(f"{path} never came")


def test_a_run_that_is_told_to_end_passes_it_on_and_ends_in_order(beside: Beside) -> None:
    begun = beside.folder / "begun"
    code = f"import signal, sys, time\nsignal.signal(15, lambda *a: sys.exit(7))\nopen({str(begun)!r}, 'w').write('x')\ntime.sleep(60)"
    outer = beside.started("run", "--name", "o", "--", sys.executable, "-S", "-c", code)
    waited_for(begun)
    outer.send_signal(signal.SIGTERM)
    _, err = outer.communicate(timeout=PATIENCE_SECONDS)

    assert outer.returncode == 7
    assert "Run o:" in err
    assert beside.running.service.run_views.show(LOCAL, "o").run.exit_code == 7


def test_ending_a_run_from_elsewhere_stops_its_command(beside: Beside) -> None:
    code = (
        "import json, urllib.request\n"
        "url = os.environ['BUDGET_URL'] + '/api/v1/runs/o/end'\n"
        "headers = {'content-type': 'application/json'}\n"
        "urllib.request.urlopen(urllib.request.Request(url, b'{}', headers))\n"
        "time.sleep(60)"
    )
    told = beside.run("--name", "o", code=code)

    assert told.code == 75
    assert "was ended" in told.err


RUN = {
    "name": "r",
    "cost": Decimal("0.5"),
    "total_tokens": 1200,
    "cap": {"cost": None, "tokens": 5000, "requests": None},
    "cache_share": None,
    "calls": 3,
    "refused": 0,
    "clamped": 2,
    "models": [
        {
            "model": f"m{n}",
            "input_tokens": 10,
            "cache_read_tokens": 0,
            "cache_write_tokens": 0,
            "output_tokens": 1,
            "other_tokens": 5,
            "cost": Decimal("0.1"),
        }
        for n in range(9)
    ],
    "inside": ["r/a"],
}


def test_the_last_lines_are_few() -> None:
    lines = lines_of(RUN, Outcome(0, Stop.OUTER), through=True, again="AGAIN")

    assert lines[0] == (
        "Run r: $0.50, 1,200 of 5,000 tokens, 3 calls, 2 clamped; stopped: it, or the run around "
        "it, was ended."
    )
    assert lines[1] == "  m0: 10 in, 1 + 5 out, $0.10"
    assert lines[9:] == [
        "  … and 1 more models",
        "  with 1 run inside it",
        "Go on with more: AGAIN",
    ]
