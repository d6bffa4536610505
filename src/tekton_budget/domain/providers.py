"""Providers: where each is found, which API it speaks, and under which names its key is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tekton_budget.domain.errors import invalid
from tekton_budget.domain.naming import seller_id


class Family(StrEnum):
    """Whose API a provider speaks."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"
    AZURE = "azure"


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider: its name in our paths, its seller in the price book, its address."""

    name: str
    seller: str
    family: Family
    url: str
    keys: tuple[str, ...] = ()  # environment variables that may hold its key, the usual first


def _known(name: str, family: Family, url: str, *keys: str, seller: str | None = None) -> Provider:
    return Provider(name, seller or name, family, url, keys)


_OPENAI, _ANTHROPIC, _GEMINI = Family.OPENAI, Family.ANTHROPIC, Family.GEMINI
# As their own documentation names address and variable (read November 2026).
KNOWN: tuple[Provider, ...] = (
    _known("openai", _OPENAI, "https://api.openai.com/v1", "OPENAI_API_KEY"),
    _known("anthropic", _ANTHROPIC, "https://api.anthropic.com", "ANTHROPIC_API_KEY"),
    _known(
        "gemini",
        _GEMINI,
        "https://generativelanguage.googleapis.com",
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        seller="google",
    ),
    _known("openrouter", _OPENAI, "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    _known("groq", _OPENAI, "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    _known("mistral", _OPENAI, "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    _known("deepseek", _OPENAI, "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    _known("together", _OPENAI, "https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    _known("xai", _OPENAI, "https://api.x.ai/v1", "XAI_API_KEY"),
    _known("fireworks", _OPENAI, "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
    _known("cerebras", _OPENAI, "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    _known("moonshot", _OPENAI, "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
    _known("ollama", _OPENAI, "http://127.0.0.1:11434/v1"),
    _known("vllm", _OPENAI, "http://127.0.0.1:8000/v1"),
    _known("lmstudio", _OPENAI, "http://127.0.0.1:1234/v1"),
    _known("litellm", _OPENAI, "http://127.0.0.1:4000/v1", "LITELLM_API_KEY"),
    _known("azure", Family.AZURE, "", "AZURE_OPENAI_API_KEY", "AZURE_API_KEY"),
)
# Names below `invalid` lead nowhere (RFC 2606): without us, a call there fails.
DEMO = Provider("demo", "demo", Family.OPENAI, "https://demo.invalid")
_BY_NAME = {one.name: one for one in (*KNOWN, DEMO)}


def providers_of(upstreams: Mapping[str, str]) -> dict[str, Provider]:
    """Every provider by name: the known ones, and those set up, whose address goes before.

    `upstreams` gives addresses by name; one that speaks another API than OpenAI's says so before
    its address: `anthropic+https://…`.
    """
    found = dict(_BY_NAME)
    for given, address in upstreams.items():
        name = given.lower()
        family, url = _split(name, address)
        known = found.get(name)
        found[name] = Provider(
            name,
            known.seller if known is not None else seller_id(name),
            family or (known.family if known is not None else Family.OPENAI),
            url.rstrip("/"),
            known.keys if known is not None else (f"{name.upper()}_API_KEY",),
        )
    return found


def _split(name: str, address: str) -> tuple[Family | None, str]:
    head, plus, rest = address.partition("+")
    family = Family(head) if plus and head in set(Family) else None
    url = rest if family is not None else address
    if not url.startswith(("http://", "https://")):
        raise invalid(
            f"BUDGET_UPSTREAM_{name.upper()}",
            f"{address!r} is no address: write https://host/v1, or anthropic+https://host for one "
            "that speaks Anthropic's API",
            code="setting_invalid",
        )
    return family, url
