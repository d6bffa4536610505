"""Needs: what a job asks of a model, and whether the facts of one say that it can do it.

A fact that is not known is not "no": it is named as unknown.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tekton_budget.domain.price import ModelFacts, input_tokens
from tekton_budget.domain.units import Part

FEATURES = ("tools", "structured_output", "reasoning", "prompt_cache")
MODALITIES = ("text", "image", "audio", "video", "pdf")

_CHAT = "chat"
_KIND_OF_MODE = {"completion": _CHAT, "responses": _CHAT}  # other ways to the same work
_OUTPUT_UNITS = ("output", "reasoning", "output_audio", "output_image", "output_video")
_INPUT_OF_UNIT = {
    f"{place}_{modality}{rest}": modality
    for modality in ("audio", "image", "video")
    for place, rest in (("input", ""), ("cache", "_read"))
}
_OUTPUT_OF_UNIT = {
    "output": "text",
    "output_audio": "audio",
    "output_image": "image",
    "output_video": "video",
}


@dataclass(frozen=True, slots=True)
class Needs:
    """What a job asks of a model; what is left open is not needed."""

    mode: str | None = None
    context_tokens: int = 0  # input and output together
    max_output_tokens: int = 0
    input: frozenset[str] = frozenset()
    output: frozenset[str] = frozenset()
    features: frozenset[str] = frozenset()

    def and_also(self, other: "Needs") -> "Needs":
        """Both together; the other's mode goes first."""
        return Needs(
            other.mode or self.mode,
            max(self.context_tokens, other.context_tokens),
            max(self.max_output_tokens, other.max_output_tokens),
            self.input | other.input,
            self.output | other.output,
            self.features | other.features,
        )


class Fit(NamedTuple):
    """What a model is known to lack of what is needed, and what nobody knows; by fact."""

    lacks: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def needs_of(parts: Sequence[Part], facts: ModelFacts | None) -> Needs:
    """What a usage itself shows to be needed, and the kind of work of the model in use."""
    units = {unit for part in parts for unit, _ in part.units}
    outputs = [
        sum(quantity for unit, quantity in part.units if unit in _OUTPUT_UNITS) for part in parts
    ]
    lengths = [
        input_tokens(part.units) + output for part, output in zip(parts, outputs, strict=True)
    ]
    facts = facts or ModelFacts("", "")
    return Needs(
        mode=facts.mode or (_CHAT if "output" in units else None),
        context_tokens=_as_far_as(facts.context_tokens, lengths),
        max_output_tokens=_as_far_as(facts.max_output_tokens, outputs),
        input=frozenset(_INPUT_OF_UNIT[unit] for unit in units & _INPUT_OF_UNIT.keys()),
        output=frozenset(_OUTPUT_OF_UNIT[unit] for unit in units & _OUTPUT_OF_UNIT.keys()),
        features=frozenset({"reasoning"} & units),
    )


def _as_far_as(has: int | None, used: Sequence[int]) -> int:
    """The longest request; where that is longer than the model in use takes, it was several."""
    longest = max(used, default=0)
    return longest if has is None else min(longest, has)


def fit_of(facts: ModelFacts, needs: Needs) -> Fit:
    """Whether a model can do a job."""
    return _split(_answers(facts, needs))


def lost_of(had: ModelFacts, facts: ModelFacts) -> Fit:
    """What one model is known to have and another to lack, or not known to have."""
    whole = Needs(
        None,
        had.context_tokens or 0,
        had.max_output_tokens or 0,
        frozenset(had.input),
        frozenset(had.output),
        frozenset(name for name in FEATURES if getattr(had, name)),
    )
    return _split(_answers(facts, whole))


def _split(answers: Iterable[tuple[str, bool | None]]) -> Fit:
    lacks: list[str] = []
    unknown: list[str] = []
    for name, has in answers:
        if has is None:
            unknown.append(name)
        elif not has:
            lacks.append(name)
    return Fit(tuple(lacks), tuple(unknown))


def _answers(facts: ModelFacts, needs: Needs) -> Iterator[tuple[str, bool | None]]:
    """Every fact that is needed, and whether the model has it; `None` if that is not known."""
    is_chat = facts.mode is not None and _kind(facts.mode) == _CHAT
    if needs.mode is not None:
        yield "mode", None if facts.mode is None else _kind(facts.mode) == _kind(needs.mode)
    for name in ("context_tokens", "max_output_tokens"):
        wanted, has = getattr(needs, name), getattr(facts, name)
        if wanted:
            yield name, None if has is None else has >= wanted
    for name in ("input", "output"):
        known = getattr(facts, name)
        for modality in _in_order(getattr(needs, name)):
            is_said = known or (modality == "text" and is_chat)  # a chat is of text at least
            yield f"{name}.{modality}", not known or modality in known if is_said else None
    for name in FEATURES:
        if name in needs.features:
            yield name, getattr(facts, name)


def _in_order(modalities: frozenset[str]) -> list[str]:
    return sorted(
        modalities,
        key=lambda one: (MODALITIES.index(one) if one in MODALITIES else len(MODALITIES), one),
    )


def _kind(mode: str) -> str:
    return _KIND_OF_MODE.get(mode, mode)
