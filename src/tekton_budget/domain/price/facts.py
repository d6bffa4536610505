"""What is known of a model besides its price: how much it takes, what it can do, since when."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Any

_DAY_US = 86_400_000_000
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Facts of a model at a seller; `None` and empty are not known, which is not "no"."""

    provider: str
    model: str
    mode: str | None = None  # chat, embedding, image, audio, transcription, rerank, …
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    input: tuple[str, ...] = ()  # text, image, audio, video, pdf
    output: tuple[str, ...] = ()
    tools: bool | None = None
    reasoning: bool | None = None
    structured_output: bool | None = None
    prompt_cache: bool | None = None
    open_weights: bool | None = None
    released: str | None = None  # a day
    retires: str | None = None

    def is_retired(self, at_us: int) -> bool:
        """Whether its last day was known to have come by then."""
        if self.retires is None:
            return False
        return self.retires <= (_EPOCH + timedelta(days=at_us // _DAY_US)).isoformat()


_NAMES = frozenset(one.name for one in fields(ModelFacts))


def facts_from_json(facts: Mapping[str, Any]) -> ModelFacts:  # Any: JSON
    """Facts as a price list has them; what this version does not know of is left out."""
    known = {name: value for name, value in facts.items() if name in _NAMES}
    for name in ("input", "output"):
        if name in known:
            known[name] = tuple(known[name])
    return ModelFacts(**known)


def facts_json(facts: ModelFacts) -> dict[str, Any]:  # Any: JSON
    """Facts as they are read."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name in _NAMES_IN_ORDER
        if (value := getattr(facts, name)) not in (None, ())
    }


_NAMES_IN_ORDER = tuple(one.name for one in fields(ModelFacts))
