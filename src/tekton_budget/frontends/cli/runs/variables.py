"""Variables of a run's command: by which clients find the gateway, or would miss it."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

OURS = "BUDGET_RUN_"  # options of `run` in the environment are for the outer command only
GATEWAY = "BUDGET_GATEWAY_URL"
PID = "BUDGET_RUN_PID"


@dataclass(frozen=True, slots=True)
class Base:
    """A variable that holds a provider's address, what comes behind it, and who reads it."""

    name: str
    provider: str
    path: str
    read_by: str


# As the packages themselves read them (November 2026): openai 3.57 and 6.49 for JavaScript,
# anthropic 2.14 and 1.14, google-genai 3.6 and 2.32, litellm 1.110, langchain-openai 1.7,
# langchain-anthropic 1.7, aider 0.86, @ai-sdk/openai and @ai-sdk/anthropic 3.0, and Claude Code's
# documentation of its variables.
BASES: tuple[Base, ...] = (
    Base(
        "OPENAI_BASE_URL",
        "openai",
        "/v1",
        "OpenAI SDKs, LangChain, LiteLLM, Pydantic AI, AI SDK, llm",
    ),
    Base("OPENAI_API_BASE", "openai", "/v1", "aider, LiteLLM, LangChain, OpenAI SDK before 1.0"),
    Base(
        "ANTHROPIC_BASE_URL",
        "anthropic",
        "",
        "Anthropic SDKs, Claude Code, LangChain, LiteLLM, Pydantic AI, AI SDK",
    ),
    Base("ANTHROPIC_API_BASE", "anthropic", "", "aider, LiteLLM"),
    Base("ANTHROPIC_API_URL", "anthropic", "", "LangChain"),
    Base(
        "GOOGLE_GEMINI_BASE_URL",
        "gemini",
        "",
        "Google Gen AI SDKs, Gemini CLI, LangChain, Pydantic AI",
    ),
    Base("GEMINI_API_BASE", "gemini", "/v1beta", "aider, LiteLLM"),
)

# Where calls go anyway: a variable that says so says nothing.
OFFICIAL = {
    "openai": "api.openai.com",
    "anthropic": "api.anthropic.com",
    "gemini": "generativelanguage.googleapis.com",
}


@dataclass(frozen=True, slots=True)
class WayAround:
    """A variable by which a client goes elsewhere, whatever its base URL is."""

    name: str
    to: str
    values: tuple[str, ...] = ()  # none: whatever is not off


AROUND: tuple[WayAround, ...] = (
    WayAround("CLAUDE_CODE_USE_BEDROCK", "Amazon Bedrock"),
    WayAround("CLAUDE_CODE_USE_MANTLE", "Amazon Bedrock"),
    WayAround("CLAUDE_CODE_USE_VERTEX", "Google Vertex AI"),
    WayAround("CLAUDE_CODE_USE_FOUNDRY", "Microsoft Foundry"),
    WayAround("ANTHROPIC_BEDROCK_BASE_URL", "Amazon Bedrock"),
    WayAround("ANTHROPIC_BEDROCK_MANTLE_BASE_URL", "Amazon Bedrock"),
    WayAround("ANTHROPIC_VERTEX_BASE_URL", "Google Vertex AI"),
    WayAround("ANTHROPIC_FOUNDRY_BASE_URL", "Microsoft Foundry"),
    WayAround("GOOGLE_GENAI_USE_VERTEXAI", "Google Vertex AI"),
    WayAround("GOOGLE_GENAI_USE_ENTERPRISE", "Google Vertex AI"),
    WayAround("OPENAI_API_TYPE", "Azure OpenAI", ("azure", "azure_ad", "azuread")),
)
_OFF = frozenset({"", "0", "false", "no", "off"})

# opencode keeps its addresses in its configuration, to which this variable adds.
OPENCODE = "OPENCODE_CONFIG_CONTENT"
_OPENCODE_PROVIDERS = {
    "openai": "/openai/v1",
    "anthropic": "/anthropic/v1",
    "google": "/gemini/v1beta",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run's calls go, and as what the service knows it."""

    server: str  # http://127.0.0.1:8013
    token: str
    name: str
    labels: Mapping[str, str]
    key: str | None

    @property
    def gateway(self) -> str:
        """The run's own address; a provider's name comes behind it."""
        return f"{self.server}/r/{self.token}"


def ways_around(variables: Mapping[str, str], server: str | None) -> list[str]:
    """What would lead calls past the gateway, each with what to do about it.

    `server` is where a run around this one has its gateway: addresses there are ours.
    """
    found = [
        f"{one.name}={variables[one.name]} sends calls to {one.to}, past the gateway: unset it."
        for one in AROUND
        if _is_on(variables.get(one.name, ""), one.values)
    ]
    for base in BASES:
        value = variables.get(base.name, "")
        if value and not _is_known(value, base, variables, server):
            found.append(
                f"{base.name}={value} is where calls go now: unset it, and name it as the "
                f"gateway's upstream: BUDGET_UPSTREAM_{base.provider.upper()}={value}"
            )
    return found


def variables_of(place: Place, around: Mapping[str, str], *, pid: int) -> dict[str, str]:
    """The environment of a run's command: what is around it, with every client pointed at us."""
    kept = {name: value for name, value in around.items() if not name.startswith(OURS)}
    labels = {name: value for name, value in place.labels.items() if name != "run"}
    kept |= {base.name: f"{place.gateway}/{base.provider}{base.path}" for base in BASES}
    kept |= {
        "BUDGET_URL": place.server,
        "BUDGET_RUN": place.name,
        "BUDGET_LABELS": ",".join(f"{name}={value}" for name, value in labels.items()),
        GATEWAY: place.gateway,
        PID: str(pid),
        OPENCODE: _opencode(place.gateway, around.get(OPENCODE, "")),
    }
    if place.key is not None:
        kept["BUDGET_KEY"] = place.key
    host = urlsplit(place.server).hostname or ""
    for name in ("NO_PROXY", "no_proxy"):  # a proxy would be asked for an address of this machine
        known = [one for one in kept.get(name, "").split(",") if one]
        kept[name] = ",".join(dict.fromkeys([*known, host]))
    return kept


def pointed(command: Sequence[str], place: Place) -> list[str]:
    """The command itself: Codex takes its address on its command line, from no variable.

    (openai/codex, pull requests 12031 and 16720.) It would let the provider search the web as often
    as it likes, which no cap can bound; what the command itself says comes later, and wins.
    """
    program, *rest = command
    if os.path.basename(program) == "codex":  # noqa: PTH119  (a word of a command, no path)
        address = f'openai_base_url="{place.gateway}/openai/v1"'
        return [program, "-c", address, "-c", 'web_search="disabled"', *rest]
    return [program, *rest]


def _is_on(value: str, values: tuple[str, ...]) -> bool:
    word = value.strip().lower()
    return word in values if values else word not in _OFF


def _is_known(value: str, base: Base, variables: Mapping[str, str], server: str | None) -> bool:
    """Ours, the provider's own, or what is set up as its upstream already."""
    if server is not None and value.startswith(f"{server}/"):
        return True
    if urlsplit(value).hostname == OFFICIAL[base.provider]:
        return True
    upstream = variables.get(f"BUDGET_UPSTREAM_{base.provider.upper()}", "")
    return bool(upstream) and _bare(upstream) == _bare(value)


def _bare(url: str) -> str:
    return url.rstrip("/").removesuffix("/v1beta").removesuffix("/v1")


def _opencode(gateway: str, known: str) -> str:
    try:
        config = json.loads(known) if known else {}
    except ValueError:
        config = {}
    providers = config.setdefault("provider", {}) if isinstance(config, dict) else {}
    for name, path in _OPENCODE_PROVIDERS.items():
        options = providers.setdefault(name, {}).setdefault("options", {})
        options["baseURL"] = f"{gateway}{path}"
    return json.dumps(config)
