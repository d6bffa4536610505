"""`top`: one picture for programs and for people, and a live one that outlasts a server that is away."""

import itertools
from typing import Any

import pytest
from rich.console import Console

import tekton_budget
from tekton_budget.domain.errors import Unavailable
from tekton_budget.frontends.cli.runs import top

from ..conftest import run_command, shown

__all__ = ["shown"]


def test_one_picture_shows_what_is_under_way(shown: Any) -> None:
    with tekton_budget.open() as budget:
        budget.set_limit("5usd/day", scope={"user": "u"})
        budget.allocate(cost="0.5", labels={"user": "u"}).__enter__()
    told = run_command("top", "--by", "user", "--once")

    assert "1 call in flight, $0.50 held, $0.00 a minute" in told.out
    assert "user=u daily" in told.out
    json = run_command("top", "--by", "user", "--json").json
    assert [(row["value"], row["in_flight"]) for row in json["rows"]] == [("u", 1)]


def test_the_live_picture_goes_on_when_the_server_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top, "_SECONDS", 0)

    class Away:
        def activity(self, **_: object) -> object:
            raise Unavailable("The server is away.")

    pictures = top._pictures(Away(), "run")
    console = Console(width=60)
    with console.capture() as capture:
        for picture in itertools.islice(pictures, 2):
            console.print(picture)

    assert capture.get().split("\n")[:2] == ["The server is away."] * 2
