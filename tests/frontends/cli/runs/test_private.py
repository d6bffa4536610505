"""`run` without a server: its own gateway over the user's database, and the demo provider behind it."""

import sys
from pathlib import Path

import pytest

from ..conftest import Told, run_command

CALLER = """
import json, os, sys, urllib.error, urllib.request
def ask(output_tokens, model="demo-large", **more):
    body = {"model": model, "max_tokens": output_tokens, "messages": [{"role": "user", "content": "40 words"}]}
    url = os.environ["BUDGET_GATEWAY_URL"] + "/demo/v1/chat/completions"
    headers = {"content-type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body | more).encode(), headers)) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
"""


@pytest.fixture(autouse=True)
def prices_that_come_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDGET_PRICES", "embedded")
    monkeypatch.delenv("BUDGET_RUN_PID", raising=False)


def run(*words: str, code: str) -> Told:
    return run_command("run", *words, "--", sys.executable, "-S", "-c", CALLER + code)


def test_its_calls_are_held_to_the_cap_counted_and_told(tmp_path: Path) -> None:
    code = (
        "long = [{'role': 'user', 'content': 'x' * 5000}]\n"
        "codes = [ask(20), ask(10_000), ask(20, messages=long), ask(20, no_such_field=1)]\n"
        f"open({str(tmp_path / 'codes')!r}, 'w').write(str(codes))\n"
        "raise SystemExit(1)"
    )
    told = run("--name", "r", "--cost", "0.01", "--land", "0", code=code)

    assert told.code == 75, told.err
    assert (tmp_path / "codes").read_text() == "[200, 200, 402, 422]"
    run_ = run_command("runs", "show", "r").json
    assert (run_["calls"], run_["refused"], run_["clamped"]) == (4, 2, 1)
    assert run_["cost"] <= 0.01
    assert [one["model"] for one in run_["models"]] == ["demo-large"]


def test_a_stranger_without_the_token_has_no_run() -> None:
    code = (
        "url = os.environ['BUDGET_GATEWAY_URL']\n"
        "os.environ['BUDGET_GATEWAY_URL'] = url[:-1] + ('A' if url[-1] != 'A' else 'B')\n"
        "other = ask(1)\n"
        "os.environ['BUDGET_GATEWAY_URL'] = os.environ['BUDGET_URL'] + '/gateway'\n"
        "raise SystemExit(other * 1000 + ask(1) == 404401)"
    )

    assert run(code=code).code == 1
