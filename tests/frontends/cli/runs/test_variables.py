"""Variables of a run's command: every client is pointed at the gateway, and ways around it are named."""

import json

import pytest

from tekton_budget.face.environment import environment
from tekton_budget.frontends.cli.runs.variables import (
    AROUND,
    BASES,
    OPENCODE,
    Place,
    pointed,
    variables_of,
    ways_around,
)

SERVER = "http://127.0.0.1:8013"
PLACE = Place(SERVER, "TOKEN", "o/i", {"run": "o/i", "team": "a", "n": "1"}, "secret")

# What the packages named in `BASES` add to the address themselves, and so the whole that they call.
CALLED = {
    "OPENAI_BASE_URL": ("/chat/completions", "/r/TOKEN/openai/v1/chat/completions"),
    "OPENAI_API_BASE": ("/chat/completions", "/r/TOKEN/openai/v1/chat/completions"),
    "ANTHROPIC_BASE_URL": ("/v1/messages", "/r/TOKEN/anthropic/v1/messages"),
    "ANTHROPIC_API_BASE": ("/v1/messages", "/r/TOKEN/anthropic/v1/messages"),
    "ANTHROPIC_API_URL": ("/v1/messages", "/r/TOKEN/anthropic/v1/messages"),
    "GOOGLE_GEMINI_BASE_URL": (
        "/v1beta/models/m:generateContent",
        "/r/TOKEN/gemini/v1beta/models/m:generateContent",
    ),
    "GEMINI_API_BASE": (
        "/models/m:generateContent",
        "/r/TOKEN/gemini/v1beta/models/m:generateContent",
    ),
}


@pytest.mark.parametrize("base", BASES, ids=lambda base: base.name)
def test_a_client_that_reads_a_variable_calls_the_run_s_own_address(base) -> None:
    added, called = CALLED[base.name]

    assert variables_of(PLACE, {}, pid=1)[base.name] + added == SERVER + called
    assert base.read_by


def test_what_is_around_is_kept_but_for_what_was_meant_for_the_run_itself() -> None:
    around = {"PATH": "/bin", "BUDGET_RUN_COST": "2", "BUDGET_RUN_PID": "9", "HOME": "/h"}
    found = variables_of(PLACE, around, pid=7)

    assert {n: found[n] for n in ("PATH", "HOME")} == {"PATH": "/bin", "HOME": "/h"}
    assert "BUDGET_RUN_COST" not in found
    ours = {name: value for name, value in found.items() if name.startswith("BUDGET_")}
    assert ours == {
        "BUDGET_URL": SERVER,
        "BUDGET_KEY": "secret",
        "BUDGET_RUN": "o/i",
        "BUDGET_RUN_PID": "7",
        "BUDGET_LABELS": "team=a,n=1",
        "BUDGET_GATEWAY_URL": f"{SERVER}/r/TOKEN",
    }


def test_the_library_inside_asks_the_same_server_under_the_run_s_labels() -> None:
    found = environment(variables_of(PLACE, {}, pid=7))

    assert (found.url, found.key) == (SERVER, "secret")
    assert found.labels == PLACE.labels


def test_a_key_that_is_not_handed_on_stays_as_it_is() -> None:
    place = Place(SERVER, "T", "a", {}, None)

    assert variables_of(place, {"BUDGET_KEY": "own"}, pid=1)["BUDGET_KEY"] == "own"


@pytest.mark.parametrize("known", ["", "corp", "corp,127.0.0.1"])
def test_no_proxy_is_asked_for_an_address_of_this_machine(known: str) -> None:
    found = variables_of(PLACE, {"NO_PROXY": known}, pid=1)

    assert found["NO_PROXY"] == (f"{known},127.0.0.1" if known == "corp" else known or "127.0.0.1")
    assert found["no_proxy"] == "127.0.0.1"


@pytest.mark.parametrize(
    "known", ["", "not json", "[]", '{"provider":{"openai":{"options":{"x":1}}}}']
)
def test_opencode_is_told_by_its_configuration_which_keeps_what_it_has(known: str) -> None:
    config = json.loads(variables_of(PLACE, {OPENCODE: known}, pid=1)[OPENCODE])
    if known == "[]":  # what is no configuration stays what it is
        assert config == []
        return

    assert config["provider"]["anthropic"]["options"]["baseURL"] == f"{SERVER}/r/TOKEN/anthropic/v1"
    assert config["provider"]["google"]["options"]["baseURL"] == f"{SERVER}/r/TOKEN/gemini/v1beta"
    assert config["provider"]["openai"]["options"].get("x") == (1 if "x" in known else None)


def test_codex_takes_its_address_on_the_command_line() -> None:
    address = f'openai_base_url="{SERVER}/r/TOKEN/openai/v1"'
    options = ["-c", address, "-c", 'web_search="disabled"']

    assert pointed(["codex", "exec", "hi"], PLACE) == ["codex", *options, "exec", "hi"]
    assert pointed(["/opt/codex"], PLACE) == ["/opt/codex", *options]
    assert pointed(["claude", "codex"], PLACE) == ["claude", "codex"]


@pytest.mark.parametrize("way", AROUND, ids=lambda way: way.name)
def test_a_way_around_is_named(way) -> None:
    value = way.values[0].upper() if way.values else "1"
    (found,) = ways_around({way.name: value}, None)

    assert f"{way.name}={value}" in found
    assert way.to in found
    for off in ("", "0", "false", *(("openai",) if way.values else ())):
        assert ways_around({way.name: off}, None) == []


@pytest.mark.parametrize(
    ("variables", "server", "is_fine"),
    [
        ({"OPENAI_BASE_URL": "https://api.openai.com/v1"}, None, True),
        ({"ANTHROPIC_BASE_URL": "https://api.anthropic.com"}, None, True),
        ({"OPENAI_BASE_URL": ""}, None, True),
        ({"OPENAI_BASE_URL": "https://proxy.example/v1"}, None, False),
        ({"OPENAI_BASE_URL": f"{SERVER}/r/OUTER/openai/v1"}, SERVER, True),
        ({"OPENAI_BASE_URL": f"{SERVER}/r/OUTER/openai/v1"}, None, False),
        ({"OPENAI_BASE_URL": f"{SERVER}0/r/OUTER/openai/v1"}, SERVER, False),
        (
            {
                "OPENAI_BASE_URL": "https://proxy.example/v1/",
                "BUDGET_UPSTREAM_OPENAI": "https://proxy.example/v1",
            },
            None,
            True,
        ),
        (
            {
                "ANTHROPIC_BASE_URL": "https://proxy.example",
                "BUDGET_UPSTREAM_OPENAI": "https://proxy.example",
            },
            None,
            False,
        ),
    ],
)
def test_an_address_of_one_s_own_becomes_the_upstream(
    variables: dict[str, str], server: str | None, is_fine: bool
) -> None:
    found = ways_around(variables, server)

    assert (found == []) is is_fine
    if not is_fine:
        name, value = next(iter(variables.items()))
        assert f"{name}={value}" in found[0]
        provider = name.partition("_")[0]
        assert found[0].endswith(f"BUDGET_UPSTREAM_{provider}={value}")
