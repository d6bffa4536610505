"""The protocol's public conformance suite against /mcp, at the version in `packages.py`.

Most of its scenarios call tools, resources and prompts of the suite's own invention; they test an
SDK, not a product. What they would show of this door (streams, several at once, errors as results)
is in tests/frontends/mcp, with our own tools.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest
from tests.frontends.mcp.conftest import serving
from tests.tools.packages import installed

pytestmark = [pytest.mark.registry, pytest.mark.timeout(900)]

MUST_PASS = (
    "server-initialize",
    "ping",
    "tools-list",
    "server-sse-multiple-streams",
    "resources-list",
    "prompts-list",
    "dns-rebinding-protection",
)
# What each of the others asks for that a budget does not have.
NOT_OURS = {
    "logging-set-level": "logging, which the protocol has deprecated",
    "completion-complete": "completions of the prompt test_prompt_with_arguments",
    "tools-call-simple-text": "the tool test_simple_text",
    "tools-call-image": "the tool test_image_content",
    "tools-call-audio": "the tool test_audio_content",
    "tools-call-embedded-resource": "the tool test_embedded_resource",
    "tools-call-mixed-content": "the tool test_multiple_content_types",
    "tools-call-with-logging": "the tool test_tool_with_logging",
    "tools-call-error": "the tool test_error_handling",
    "tools-call-with-progress": "the tool test_tool_with_progress",
    "tools-call-sampling": "the tool test_sampling; we never ask the client's model for anything",
    "tools-call-elicitation": "the tool test_elicitation; we never ask the client's user",
    "json-schema-2020-12": "the tool json_schema_2020_12_tool",
    "elicitation-sep1034-defaults": "the tool test_elicitation_sep1034_defaults",
    "server-sse-polling": "the tool test_reconnection; without it, it passes and shows nothing",
    "elicitation-sep1330-enums": "the tool test_elicitation_sep1330_enums",
    "resources-read-text": "the resource test://static-text",
    "resources-read-binary": "the resource test://static-binary",
    "resources-templates-read": "the resources test://template/{id}/data",
    "resources-subscribe": "the resource test://watched-resource",
    "resources-unsubscribe": "the resource test://watched-resource",
    "prompts-get-simple": "the prompt test_simple_prompt",
    "prompts-get-with-args": "the prompt test_prompt_with_arguments",
    "prompts-get-embedded-resource": "the prompt test_prompt_with_embedded_resource",
    "prompts-get-with-image": "the prompt test_prompt_with_image",
}
HOOK = Path(__file__).parent / "scripts" / "fs_of_node_22.mjs"
_LISTED = re.compile(r"^  - (\S+) \[", re.MULTILINE)


def suite(*words: str) -> subprocess.CompletedProcess[str]:
    program = installed("conformance") / "conformance"
    return subprocess.run(
        [str(program), *words],
        env={**os.environ, "NODE_OPTIONS": f"--import={HOOK}"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_of_every_scenario_it_is_said_whether_it_is_ours() -> None:
    listed = suite("list", "--server").stdout

    assert sorted(_LISTED.findall(listed)) == sorted([*MUST_PASS, *NOT_OURS])


@pytest.mark.parametrize("scenario", MUST_PASS)
def test_it_passes(sqlite_url: str, scenario: str) -> None:
    with serving(sqlite_url) as service:
        service.limit("5usd/day", name="cap")
        done = suite("server", "--url", f"{service.url}/mcp", "--scenario", scenario)

    assert done.returncode == 0, done.stdout + done.stderr
