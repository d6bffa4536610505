"""The programs that the documentation names, and how each is asked one question."""

from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
QUESTION = "Say hi"


@dataclass(frozen=True)
class Program:
    """`words`: the command, of the package's own programs where there is one of that name."""

    package: str
    words: tuple[str, ...]
    model: str
    variables: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)  # below its home
    turns: int = 1  # calls of the model; in all but the last it asks for a tool
    tells: bool = True  # what it prints of a denial has the gateway's words in it


def python(package: str, script: str, model: str) -> Program:
    return Program(package, ("python", str(HERE / "scripts" / f"{script}.py"), model), model)


def node(package: str, script: str, model: str) -> Program:
    return Program(package, ("node", f"{script}.mjs", model), model)


_GEMINI_BY_KEY = '{"security": {"auth": {"selectedType": "gemini-api-key"}}}'
_AIDER = (
    "--no-check-update",
    "--no-analytics",
    "--yes-always",
    "--no-git",
    "--no-show-model-warnings",
    "--message",
    QUESTION,
)

PROGRAMS = {
    "Claude Code": Program(
        "claude",
        ("claude", "-p", QUESTION, "--model", "claude-sonnet-5"),
        "claude-sonnet-5",
        turns=2,
    ),
    "Codex": Program(
        "codex",
        ("codex", "exec", "--skip-git-repo-check", "-m", "gpt-5.4-mini", QUESTION),
        "gpt-5.4-mini",
        turns=2,
    ),
    "Gemini CLI": Program(
        "gemini",
        ("gemini", "-m", "gemini-2.5-flash", "-p", QUESTION),
        "gemini-2.5-flash",
        {"GEMINI_CLI_TRUST_WORKSPACE": "true"},
        {".gemini/settings.json": _GEMINI_BY_KEY},
        turns=2,
    ),
    "opencode with OpenAI": Program(
        "opencode",
        ("opencode", "run", "-m", "openai/gpt-5.4-mini", QUESTION),
        "gpt-5.4-mini",
        turns=2,
    ),
    "opencode with Anthropic": Program(
        "opencode",
        ("opencode", "run", "-m", "anthropic/claude-sonnet-5", QUESTION),
        "claude-sonnet-5",
        turns=2,
    ),
    "opencode with Google": Program(
        "opencode",
        ("opencode", "run", "-m", "google/gemini-2.5-flash", QUESTION),
        "gemini-2.5-flash",
        files={".config/opencode/opencode.json": '{"small_model": "google/gemini-2.5-flash"}'},
        turns=2,
    ),
    "aider with OpenAI": Program(
        "aider", ("aider", "--model", "openai/gpt-5.4-mini", *_AIDER), "gpt-5.4-mini"
    ),
    "aider with Anthropic": Program(
        "aider", ("aider", "--model", "anthropic/claude-sonnet-5", *_AIDER), "claude-sonnet-5"
    ),
    "aider with Google": Program(
        "aider", ("aider", "--model", "gemini/gemini-2.5-flash", *_AIDER), "gemini-2.5-flash"
    ),
    "LiteLLM with OpenAI": python("aider", "by_litellm", "openai/gpt-5.4-mini"),
    "LiteLLM with Anthropic": python("aider", "by_litellm", "anthropic/claude-sonnet-5"),
    "LiteLLM with Google": python("aider", "by_litellm", "gemini/gemini-2.5-flash"),
    "LangChain with OpenAI": python("langchain", "by_langchain", "openai:gpt-5.4-mini"),
    "LangChain with Anthropic": python("langchain", "by_langchain", "anthropic:claude-sonnet-5"),
    "LangChain with Google": python("langchain", "by_langchain", "google_genai:gemini-2.5-flash"),
    "Pydantic AI with OpenAI": python("pydantic-ai", "by_pydantic_ai", "openai:gpt-5.4-mini"),
    "Pydantic AI with Anthropic": python(
        "pydantic-ai", "by_pydantic_ai", "anthropic:claude-sonnet-5"
    ),
    "Pydantic AI with Google": python("pydantic-ai", "by_pydantic_ai", "google:gemini-2.5-flash"),
    "llm": Program("llm", ("llm", "-m", "gpt-5.4-mini", QUESTION), "gpt-5.4-mini"),
    "AI SDK with OpenAI": node("ai-sdk", "by_ai_sdk", "openai/gpt-5.4-mini"),
    "AI SDK with Anthropic": node("ai-sdk", "by_ai_sdk", "anthropic/claude-sonnet-5"),
    "AI SDK with Google": node("ai-sdk", "by_ai_sdk", "google/gemini-2.5-flash"),
}
