"""Commands in words, as the original component's command line and chat take them."""

from tekton_budget.domain.spoken.help import help_of, overview
from tekton_budget.domain.spoken.reading import INVALID, SIGN, TEXT_MAX, Spoken, Value, named, read
from tekton_budget.domain.spoken.words import CHAT, LINE, PERIODS, Part, Word

__all__ = [
    "CHAT",
    "INVALID",
    "LINE",
    "PERIODS",
    "SIGN",
    "TEXT_MAX",
    "Part",
    "Spoken",
    "Value",
    "Word",
    "help_of",
    "named",
    "overview",
    "read",
]
