"""What a server says when it is there: where, over what, how to try it and how to stop it."""

import os
import sys
from pathlib import Path

from tekton_budget.frontends.http.auth import is_loopback


def banner(*, host: str, port: int, database: str, needs_key: bool, workers: int) -> str:
    """The lines to paste end in a 402, as often as they are pasted."""
    url = address(host, port)
    own = address(host if is_loopback(host) else "127.0.0.1", port)
    key = ' -H "Authorization: Bearer $BUDGET_KEY"' if needs_key else ""
    json = " -H 'Content-Type: application/json'"
    command = _command()
    processes = f" ({workers} processes)" if workers > 1 else ""
    lines = [
        f"Tekton Budget listens on {url}{processes}",
        f"Database: {database}",
        f"Gateway: {own}/gateway/openai/v1 as a client's base URL, …/anthropic, …/gemini; "
        "…/demo/v1 answers offline",
        f"Documentation: {own}/api/v1/docs",
        "",
        "Try it: limit a team to one dollar a day, then ask for two; the answer is 402."
        + (" (BUDGET_KEY must hold an admin key.)" if needs_key else ""),
        "",
        f"  curl -sS -X PUT {own}/api/v1/policies{key}{json} "
        """-d '{"limit": "1usd/day", "scope": {"team": "demo"}}'; echo""",
        f"  curl -sS -i {own}/api/v1/allocations{key}{json} "
        """-d '{"team": "demo", "cost": 2}'; echo""",
        "",
        f"By command: {command} set team=demo 1usd/day   and   {command} status team=demo",
        f"Stop it: Ctrl-C here, or kill {os.getpid()}",
    ]
    return "\n".join(lines)


def address(host: str, port: int) -> str:
    """The URL of a host and port."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _command() -> str:
    """The command as it can be called here."""
    found = Path(sys.executable).with_name("tekton-budget")
    try:
        return str(found.relative_to(Path.cwd()))
    except ValueError:
        return str(found) if found.exists() else "tekton-budget"
