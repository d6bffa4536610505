"""Programs and packages as their registries have them, installed once into a folder of their own.

`BUDGET_TEST_TOOLS` names the folder; it is kept, and a change of versions makes another beside it.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

FOLDER = Path(os.environ.get("BUDGET_TEST_TOOLS") or "~/.cache/tekton-budget/tools").expanduser()
INSTALL_SECONDS = 600


@dataclass(frozen=True)
class Package:
    """What is installed together; `versions` as the registry's client takes them."""

    registry: str  # npm, pypi
    versions: tuple[str, ...]


# The versions that were tried; a newer one is tried by writing it here. aider brings LiteLLM with
# it, pinned to 1.81.10: that one stands for LiteLLM, which is not to be installed by itself.
PACKAGES = {
    "claude": Package("npm", ("@anthropic-ai/claude-code@2.1.197",)),
    "codex": Package("npm", ("@openai/codex@0.169.0",)),
    "gemini": Package("npm", ("@google/gemini-cli@0.61.0",)),
    "opencode": Package("npm", ("opencode-ai@1.18.33",)),
    "javascript": Package(
        "npm", ("openai@6.49.0", "@anthropic-ai/sdk@1.14.0", "@google/genai@2.32.0")
    ),
    "ai-sdk": Package(
        "npm",
        (
            "ai@6.0.326",
            "@ai-sdk/openai@3.0.141",
            "@ai-sdk/anthropic@3.0.140",
            "@ai-sdk/google@3.0.141",
        ),
    ),
    "conformance": Package("npm", ("@modelcontextprotocol/conformance@0.1.16",)),
    "aider": Package("pypi", ("aider-chat==0.86.2", "litellm==1.81.10")),
    "langchain": Package(
        "pypi",
        (
            "langchain-openai==1.7.4",
            "langchain-anthropic==1.7.10",
            "langchain-google-genai==4.4.3",
        ),
    ),
    "pydantic-ai": Package("pypi", ("pydantic-ai-slim[openai,anthropic,google]==2.68.0",)),
    "llm": Package("pypi", ("llm==0.36",)),
}


def installed(name: str) -> Path:
    """The folder with the programs of a package; for npm, `node_modules` is beside it."""
    package = PACKAGES[name]
    mark = sha256("\n".join(package.versions).encode()).hexdigest()[:8]
    folder = FOLDER / f"{name}-{mark}"
    done = folder / "installed"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _INSTALLERS[package.registry](folder, package.versions)
        done.touch()
    return folder / ("node_modules/.bin" if package.registry == "npm" else "bin")


def _npm(folder: Path, versions: tuple[str, ...]) -> None:
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    _run("npm", "install", "--no-audit", "--no-fund", *versions, folder=folder)


def _pypi(folder: Path, versions: tuple[str, ...]) -> None:
    _run(sys.executable, "-m", "venv", ".", folder=folder)
    _run("bin/python", "-m", "pip", "install", "--quiet", *versions, folder=folder)


_INSTALLERS = {"npm": _npm, "pypi": _pypi}


def _run(*command: str, folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
