"""Short ways to write quotes: `says("litellm 3/15 cache_read=0.3", "genai 3/15")`."""

from decimal import Decimal
from typing import Any

from tekton_budget.domain.verify import Accepted, Quote


def rates_of(text: str) -> dict[str, Decimal]:
    """`3/15 cache_read=0.3`; `-` is not told."""
    base, *further = text.split()
    pairs = [
        *zip(("input", "output"), base.split("/"), strict=True),
        *(p.split("=") for p in further),
    ]
    return {name: Decimal(rate) for name, rate in pairs if rate != "-"}


def says(*lines: str, provider: str = "openai", model: str = "m", **more: Any) -> list[Quote]:
    """One quote for each line: the source and its rates."""
    return [
        Quote(source, provider, model, rates_of(text), **more)
        for source, text in (line.split(maxsplit=1) for line in lines)
    ]


def accepted(text: str, *said: str, **more: Any) -> Accepted:
    """What was accepted last, and what each source said then."""
    lines = (line.split(maxsplit=1) for line in said)
    return Accepted(rates_of(text), {source: rates_of(rates) for source, rates in lines}, **more)
