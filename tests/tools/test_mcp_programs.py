"""Programs that speak the Model Context Protocol, as they come from their registries."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.frontends.mcp.conftest import serving
from tests.tools.packages import installed

pytestmark = [pytest.mark.registry, pytest.mark.timeout(900)]


def test_claude_code_connects_by_the_line_of_the_documentation(
    tmp_path: Path, sqlite_url: str
) -> None:
    tools = f"{installed('claude')}:{Path(sys.executable).parent}"
    variables = {"PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(tmp_path)}

    def claude(*words: str) -> str:
        done = subprocess.run(
            ["claude", "mcp", *words],
            env=variables,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    with serving(sqlite_url) as service:
        claude("add", "tekton-budget", "--", "tekton-budget", "mcp")
        claude("add", "--transport", "http", "over-http", f"{service.url}/mcp")
        listed = claude("list")

    assert listed.count("Connected") == 2, listed
