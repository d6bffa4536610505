"""Runs of the command line beside a server, whose gateway is a stand-in that charges what it is told to."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.http_server import listening

from tekton_budget.domain.answer import Denial
from tekton_budget.domain.errors import BudgetError
from tekton_budget.frontends.api import create_app
from tekton_budget.library import quieten
from tekton_budget.service.asking.asks import Ask, Used
from tekton_budget.settings import load_settings
from tekton_budget.wiring import Running, open_service

from ..conftest import Told, no_variables, run_command

__all__ = ["Beside", "no_variables"]

# What the commands of the tests do: call the address that they find in their environment, to spend.
CALLER = """
import os, sys, time, urllib.error, urllib.request
def call(cost):
    url = os.environ["OPENAI_BASE_URL"] + "/spend/" + str(cost)
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
"""


class StandIn:
    """In front of the application: `/r/TOKEN/openai/v1/spend/COST` asks, settles and counts."""

    def __init__(self, app: Any, running: Running) -> None:
        self._app = app
        self._running = running

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/r/"):
            await self._app(scope, receive, send)
            return
        _, _, token, *_, cost = scope["path"].split("/")
        status = await asyncio.to_thread(self._spend, token, Decimal(cost))
        length = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": status, "headers": length})
        await send({"type": "http.response.body", "body": b""})

    def _spend(self, token: str, cost: Decimal) -> int:
        runs, ledger = self._running.service.runs, self._running.service.ledger
        try:
            run = runs.admit(token)
        except BudgetError:
            return 403
        answer = ledger.allocate(
            run.caller, Ask(labels=run.labels, cost=cost, landing="may")
        ).result()
        runs.count(run.run_id, calls=1, refused=int(isinstance(answer, Denial)))
        if isinstance(answer, Denial):
            return 402
        used = Used(
            cost=cost, input_tokens=10, output_tokens=2, cache_read_tokens=30, model_used="m"
        )
        ledger.settle(run.caller, answer.allocation_id, used).result()
        return 200


@dataclass(frozen=True)
class Beside:
    """A server, and commands that are run beside it."""

    url: str
    running: Running
    folder: Path

    def run(self, *words: str, code: str) -> Told:
        """`tekton-budget run … -- python -c CODE`, in this process."""
        return run_command("run", *words, "--", sys.executable, "-S", "-c", CALLER + code)

    def command(self, *words: str) -> list[str]:
        """The program, as words."""
        main = "from tekton_budget.frontends.cli import main; main()"
        return [sys.executable, "-c", main, *words]

    def started(self, *words: str, **more: Any) -> "subprocess.Popen[str]":
        """The program in a process of its own."""
        return subprocess.Popen(
            self.command(*words),
            env={**os.environ, "BUDGET_URL": self.url, "HOME": str(self.folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **more,
        )

    def cost(self, run: str) -> Decimal:
        """What a run has spent, exactly."""
        from tekton_budget.domain.caller import LOCAL

        return Decimal(self.running.service.run_views.show(LOCAL, run).cost_nano).scaleb(-9)


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Beside]:
    quieten()
    for name in ("BUDGET_RUN_PID", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    settings = load_settings(database_url=f"sqlite:///{tmp_path / 'served.db'}")
    with (
        open_service(settings) as running,
        listening(StandIn(create_app(running), running)) as url,
    ):
        monkeypatch.setenv("BUDGET_URL", url)
        yield Beside(url, running, tmp_path)


Started = Callable[..., "subprocess.Popen[str]"]
