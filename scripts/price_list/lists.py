"""The price lists that the embedded one is made of: files, readers, dates, licences."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tekton_budget.prices import genai_prices, langfuse, litellm, models_dev, openrouter, portkey
from tekton_budget.prices.listing import Listing, Problem, Reading


@dataclass(frozen=True)
class Source:
    """One file. `family`: the name that its quotes carry; a family votes once."""

    family: str
    name: str
    file: str
    read: Callable[[str | bytes], Reading]
    version: str
    day: date
    url: str
    licence: str = "MIT"

    @property
    def head(self) -> dict[str, str]:
        """What the embedded list says of it."""
        return {
            "name": self.name,
            "version": self.version,
            "date": self.day.isoformat(),
            "licence": self.licence,
            "url": self.url,
        }


# Best first: where several say the same, the first names it. llm-prices has no licence: not here.
SOURCES = (
    Source(
        "litellm",
        "LiteLLM",
        "litellm-2026-08-15.json",
        litellm.read,
        "1.97.0",
        date(2026, 8, 15),
        "https://github.com/BerriAI/litellm",
    ),
    Source(
        "genai",
        "genai-prices",
        "genai-prices-2026-08-21.json",
        genai_prices.read,
        "47df840",
        date(2026, 8, 21),
        "https://github.com/pydantic/genai-prices",
    ),
    Source(
        "openrouter",
        "OpenRouter models (copy in models.dev)",
        "openrouter-models-2026-05-15.json",
        openrouter.read,
        "2026-05-15",
        date(2026, 5, 15),
        "https://github.com/anomalyco/models.dev",
    ),
    Source(
        "langfuse",
        "Langfuse",
        "langfuse-2026-05-02.json",
        langfuse.read,
        "2026-05-02",
        date(2026, 5, 2),
        "https://github.com/langfuse/langfuse",
    ),
    Source(
        "modelsdev",
        "models.dev",
        "models-dev-2026-05-02.json",
        models_dev.read,
        "2026-05-02",
        date(2026, 5, 2),
        "https://github.com/anomalyco/models.dev",
    ),
    Source(
        "portkey",
        "Portkey models",
        "portkey-2026-04-30.json",
        portkey.read,
        "2026-04-30",
        date(2026, 4, 30),
        "https://github.com/Portkey-AI/models",
    ),
    Source(
        "litellm",
        "LiteLLM (copy in tokencost)",
        "litellm-2025-09-01.json",
        litellm.read,
        "2025-09-01",
        date(2025, 9, 1),
        "https://github.com/AgentOps-AI/tokencost",
    ),
)
NEWEST = max(source.day for source in SOURCES)


@dataclass(frozen=True)
class Read:
    """Listings, each with the place of its source in `SOURCES`; and what could not be used."""

    listings: tuple[tuple[int, Listing], ...]
    problems: tuple[tuple[str, Problem], ...]


def read_all(folder: Path) -> Read:
    """Every file of the folder that we publish from."""
    listings, problems = [], []
    for rank, source in enumerate(SOURCES):
        reading = source.read((folder / source.file).read_bytes())
        listings += [(rank, listing) for listing in reading.listings]
        problems += [(source.name, problem) for problem in reading.problems]
    return Read(tuple(listings), tuple(problems))
