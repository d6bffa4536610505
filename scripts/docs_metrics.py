"""Reference of the metrics, as a service that has answered something tells of them."""

import asyncio
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docs_markdown import code, codes, page, table

PAGE = "metrics.md"

INTRO = """`GET /metrics`, in Prometheus' text format. With several workers, each answers for all. Of a policy with groups the fullest one is shown, so
that a million groups are one series."""

_HELP = re.compile(r"# HELP (\S+) (.*)")
_TYPE = re.compile(r"# TYPE (\S+) (\S+)")
_SAMPLE = re.compile(r"([a-z_]+)\{([^}]*)\}")


def text() -> str:
    """The page."""
    rows = [
        (code(name), kind, codes(sorted(labels)), about)
        for name, kind, labels, about in metrics_of(told())
    ]
    return page("Metrics", INTRO, table(("metric", "kind", "labels", "what it says"), rows))


def metrics_of(answer: str) -> Iterator[tuple[str, str, set[str], str]]:
    """Name, kind, labels and meaning of every metric in an answer."""
    kinds = dict(_TYPE.findall(answer))
    labels: dict[str, set[str]] = {}
    for sample, inside in _SAMPLE.findall(answer):
        names = set(re.findall(r'(\w+)="', inside)) - {"le"}
        name = re.sub(r"_(bucket|count|sum)$", "", sample) if sample not in kinds else sample
        labels.setdefault(name, set()).update(names)
    for name, about in _HELP.findall(answer):
        yield name, kinds[name], labels.get(name, set()), about


def told() -> str:
    """What `/metrics` says after an ask that was granted and one that was not."""
    from tekton_budget.delivery.hermes import Board
    from tekton_budget.settings import load_settings
    from tekton_budget.wiring import open_service

    with tempfile.TemporaryDirectory() as directory:
        settings = load_settings(database_url=f"sqlite:///{directory}/budget.db")
        with open_service(settings, background=False) as running:
            running.hermes = Board(Path(directory), "http://localhost:8001")
            return asyncio.run(_asked(running))


async def _asked(running: Any) -> str:
    from httpx import ASGITransport, AsyncClient

    from tekton_budget.frontends.api.app import create_app

    transport = ASGITransport(create_app(running))
    async with AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        limit = {"limit": "50usd+5Mtokens+100requests/day"}
        for path, body in (
            ("policies", limit),
            ("allocations", {"tokens": 10, "cost": 1}),
            ("allocations", {"tokens": 10**7, "cost": 1}),
        ):
            await client.post(f"/api/v1/{path}", json=body)
        return (await client.get("/metrics")).text
