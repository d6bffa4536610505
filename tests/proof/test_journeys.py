"""The proof itself, in small: ours is exact on both stores, foils are not, and faults are seen."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tekton_budget.proof import ProofOptions, main
from tekton_budget.proof.__main__ import options_from
from tekton_budget.proof.crew import Crew, CrewFailed
from tekton_budget.proof.foils import FOILS, FoilArm
from tekton_budget.proof.measure import Measured, TooSlow, measured
from tekton_budget.proof.options import SEED
from tekton_budget.proof.ours import OursArm
from tekton_budget.proof.runner import Entrant, _on_time
from tekton_budget.proof.stores import Place
from tekton_budget.proof.turns import Plan
from tekton_budget.proof.workloads import plans

PLANS = {plan.name: plan for plan in plans(SEED, quick=True)}


def run(arm: object, plan: Plan, place: Place, crew: Crew, folder: Path) -> Measured:
    entrant = Entrant("arm", arm, place=place)
    return _on_time(entrant, plan, crew, folder)


@pytest.mark.parametrize("name", PLANS)
def test_ours_is_exact(name: str, place: Place, crew: Crew, tmp_path: Path) -> None:
    result = run(OursArm(place), PLANS[name], place, crew, tmp_path)

    assert result.faults() == []
    assert result.differences == 0
    assert result.used_share > 0.5


def test_the_loop_that_ran_away_passed_five_times(place: Place, crew: Crew, tmp_path: Path) -> None:
    found = run(OursArm(place), PLANS["runaway"], place, crew, tmp_path).findings

    assert (found.granted, found.denied, found.spent) == (5, 95, 900_000_000)


def test_reading_then_writing_goes_over(place: Place, crew: Crew, tmp_path: Path) -> None:
    """Otherwise the proof could not see what it is made to see."""
    arm = FoilArm(FOILS["read-then-write"], place)
    overs = []
    while not any(overs) and len(overs) < 10:
        result = run(arm, PLANS["burst-50x2"], place, crew, tmp_path)
        overs.append(result.findings.over)

    assert any(overs)


def test_counting_after_the_fact_goes_over_even_alone(crew: Crew, tmp_path: Path) -> None:
    place = Place(folder=tmp_path)
    result = run(FoilArm(FOILS["after the fact"], place), PLANS["runaway"], place, crew, tmp_path)

    assert result.findings.granted == 6
    assert result.over_share == pytest.approx(0.08)


@pytest.mark.parametrize("name", ["optimistic", "guarded UPDATE"])
def test_a_sound_counter_is_not_accused(
    name: str, place: Place, crew: Crew, tmp_path: Path
) -> None:
    found = run(FoilArm(FOILS[name], place), PLANS["burst-50x2"], place, crew, tmp_path).findings

    assert (found.over, found.lost, found.doubled, found.lost_calls) == (0, 0, 0, 0)


def test_holds_of_clients_that_vanished_stay_where_nothing_expires(
    crew: Crew, tmp_path: Path
) -> None:
    place = Place(folder=tmp_path)
    result = run(FoilArm(FOILS["guarded UPDATE"], place), PLANS["vanish"], place, crew, tmp_path)

    assert result.used_share == 0
    assert result.findings.false_denials >= 500


@pytest.mark.parametrize(
    ("arm", "said"),
    [
        ("sound", None),
        ("grants_twice", "granted over the allowance"),
        ("forgets", "answered but lost"),
        ("denies_for_nothing", "denied though it fitted"),
        ("counts_twice", "counted twice"),
        ("fails", "asks that failed"),
        ("differs", "journal differences"),
        ("cannot_be_made", "nobody at home"),
    ],
)
def test_a_planted_fault_ends_the_proof_with_1(
    arm: str,
    said: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    monkeypatch.setenv("FAULTY_ARMS_FOLDER", str(tmp_path))
    options = ProofOptions(
        quick=True,
        output=tmp_path / "proof",
        arms=(f"faulty_arms:{arm}",),
        workloads=("burst-10x1",),
        ours=False,
        foils=False,
    )

    status = main(options)

    results = json.loads((tmp_path / "proof" / "results.json").read_text())
    assert status == (0 if said is None else 1)
    assert results["exact"] is (said is None)
    if said is not None:
        assert any(said in fault for fault in results["faults"]), results["faults"]
        assert "NOT EXACT" in capsys.readouterr().out


def test_what_is_left_on_paper(
    tmp_path: Path, postgres_server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("runaway", "burst-10x1")
    options = ProofOptions(
        quick=True, output=tmp_path, postgres_url=postgres_server, workloads=names
    )

    assert main(options) == 0

    printed = capsys.readouterr().out
    results = json.loads((tmp_path / "results.json").read_text())
    assert "EXACT: " in printed
    assert max(map(len, re.findall(r"^[TrRag].* · .*$", printed, re.MULTILINE))) <= 80
    assert results["exact"] is True
    assert results["seed"] == SEED
    assert results["judged"] == ["Tekton Budget · PostgreSQL", "Tekton Budget · SQLite"]
    assert {one["workload"] for one in results["results"]} == set(names)
    assert len({one["arm"] for one in results["results"]}) == 10
    assert results["machine"]["postgresql"]
    assert (tmp_path / "results.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.json", "results.png"]


def test_what_is_missing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.delitem(sys.modules, "tekton_budget.proof.chart", raising=False)
    options = ProofOptions(
        quick=True,
        output=tmp_path,
        postgres_url="postgresql://nobody@127.0.0.1:1/none",
        workloads=("runaway",),
        foils=False,
    )

    assert main(options) == 0

    printed = " ".join(capsys.readouterr().out.split())
    assert "not run: all arms on PostgreSQL" in printed
    assert "pip install 'tekton-budget[proof]'" in printed
    assert not (tmp_path / "results.png").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (ProofOptions(workloads=("nonsense",)), "no such workload: nonsense"),
        (ProofOptions(arms=("nonsense",)), "MODULE:FACTORY"),
        (ProofOptions(arms=("no_such_module_anywhere:arm",)), "no_such_module_anywhere"),
    ],
)
def test_what_cannot_be_run_ends_with_2(
    options: ProofOptions, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(options) == 2
    assert said in " ".join(capsys.readouterr().out.split())


def test_options_are_as_they_are_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDGET_PROOF_POSTGRES_URL", "postgresql:///proof")

    assert options_from([]) == ProofOptions(postgres_url="postgresql:///proof")
    assert options_from(
        [
            "--quick",
            "--seed",
            "7",
            "--arm",
            "a:b",
            "--workload",
            "kill",
            "--no-foils",
            "--no-postgres",
        ]
    ) == ProofOptions(
        quick=True,
        seed=7,
        postgres_url="postgresql:///proof",
        postgres=False,
        arms=("a:b",),
        workloads=("kill",),
        foils=False,
    )


def test_it_is_a_program(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tekton_budget.proof",
            "--workload",
            "runaway",
            "--no-postgres",
            "--no-foils",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "proof" / "results.json").exists()
    assert done.stderr == ""


def test_a_proof_that_is_told_to_stop_leaves_nothing_behind(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tekton_budget.proof", "--no-foils"]
    proof = subprocess.Popen(
        words,
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    give_up = time.monotonic() + 120
    while not list(tmp_path.glob("proof/work-*/burst*.db")) and time.monotonic() < give_up:
        time.sleep(0.05)
    proof.send_signal(signal.SIGTERM)
    proof.communicate(timeout=60)

    assert proof.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.glob("proof/work-*")) == []
    assert list(tmp_path.glob("budget-proof-*")) == []


def test_a_process_that_cannot_connect_is_told(crew: Crew, tmp_path: Path) -> None:
    with pytest.raises(CrewFailed, match="TypeError"):
        crew.play(None, PLANS["runaway"].processes, [tmp_path / "log"], seconds_max=1)


def test_a_window_that_turned_before_all_was_ready_says_nothing(crew: Crew, tmp_path: Path) -> None:
    arm = OursArm(Place(folder=tmp_path))
    own = tmp_path / "late"
    own.mkdir()

    with pytest.raises(TooSlow):
        measured("arm", arm, PLANS["first-window"], crew, own, setting_up_seconds=-2)


def test_schedules_come_from_the_seed() -> None:
    assert plans(1, quick=True) == plans(1, quick=True)
    assert plans(1, quick=True) != plans(2, quick=True)
