"""Providers behind a proxy: the environment is asked once for each address."""

import subprocess
import sys

import pytest

from tekton_budget.frontends.gateway.connections import _way


@pytest.mark.parametrize(
    ("environment", "address", "proxy"),
    [
        ({}, "https://api.test/v1", None),
        ({"https_proxy": "http://p:1"}, "https://api.test/v1", "http://p:1"),
        ({"https_proxy": "http://p:1"}, "http://api.test/v1", None),
        ({"https_proxy": "http://p:1", "no_proxy": "api.test"}, "https://api.test/v1", None),
        ({"https_proxy": "https://p:1"}, "https://api.test/v1", None),
    ],
)
def test_the_proxy_of_a_provider(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], address: str, proxy: str | None
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, said in environment.items():
        monkeypatch.setenv(name, said)
    found = _way(address).proxy
    assert (None if found is None else str(found)) == proxy


def test_a_start_does_not_wait_for_what_only_calls_need() -> None:
    code = "import sys, tekton_budget.server; print('aiohttp' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
