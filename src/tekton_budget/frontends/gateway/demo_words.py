"""What the demo provider says, and how it counts: a word is a token, a long one several."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

Json = Mapping[str, Any]  # Any: JSON

OUTPUT_TOKENS = {"demo-small": 16_384, "demo-large": 8_192}
EMBEDDING = "demo-embed"
MODELS = (*OUTPUT_TOKENS, EMBEDDING)

_QUOTED_MAX = 200  # characters
_PIECE = re.compile(r"\s*\S{1,12}")  # never more pieces than bytes
_LENGTH = re.compile(r"(\d[\d,.]{0,8}) (?:words|tokens)\b")
_READ = ("system", "instructions", "messages", "input", "content", "text", "arguments", "output")
_TALES = (
    "Every morning the harbour master counts the boats and writes the number in a book.",
    "He never counts twice, because the first number is what the crews were told.",
    "When a crew wants rope, it says how much it may need at most, and that much is laid aside.",
    "What it brings back in the evening goes on the pile again.",
    "So no crew ever stands on the quay with half a rope, and the store is never found empty.",
    "Strangers find this slow, until they have seen the other harbour.",
)


@dataclass(frozen=True, slots=True)
class Said:
    """One answer. `pieces`: its text, a token each."""

    model: str
    input_tokens: int
    pieces: Sequence[str]
    is_cut: bool  # by the request's maximum

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def output_tokens(self) -> int:
        return len(self.pieces)


def said_to(body: Json, *, model: str, output_max: int | None, as_json: bool = False) -> Said:
    """The answer to a request, cut where its maximum is, or the model's."""
    input_tokens = tokens_of(body)
    question = _last_words(body)
    text = _as_json(question, model) if as_json else _answer(question, model, input_tokens)
    pieces = _PIECE.findall(text)
    room = min(OUTPUT_TOKENS[model], OUTPUT_TOKENS[model] if output_max is None else output_max)
    return Said(model, input_tokens, pieces[:room], is_cut=len(pieces) > room)


def tokens_of(body: Json) -> int:
    """Tokens of all text in a request; never more than its bytes. Pictures count nothing."""
    tools = body.get("tools")
    pieces = sum(len(_PIECE.findall(text)) for text in _texts(body))
    if tools:
        pieces += len(_PIECE.findall(msgspec.json.encode(tools).decode()))
    return pieces


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for name in _READ:
            yield from _texts(value.get(name))


def _last_words(body: Json) -> str:
    """What the user said last."""
    told = body.get("messages") or body.get("input") or ""
    if isinstance(told, list):
        of_user = [it for it in told if isinstance(it, dict) and it.get("role") == "user"]
        told = of_user[-1].get("content") if of_user else ""
    return " ".join(" ".join(_texts(told)).split())


def _answer(question: str, model: str, input_tokens: int) -> str:
    quoted = question if len(question) <= _QUOTED_MAX else f"{question[:_QUOTED_MAX]}…"
    first = f"You said: “{quoted}”. " if quoted else ""
    first += (
        "I am the demo provider of Tekton Budget: no model was asked, nothing left this machine."
    )
    length = _LENGTH.search(question)
    tale = list(_tale(int(re.sub("[,.]", "", length[1])))) if length else []
    written = sum(len(_PIECE.findall(part)) for part in (first, *tale))
    last = f"This took {input_tokens} tokens to read and {{}} to write, at the price of {model}."
    written += len(_PIECE.findall(last))
    return " ".join((first, *tale, last.format(written)))


def _tale(words: int) -> Iterator[str]:
    """Sentences, as many as have that many words."""
    told = 0
    while told < min(words, max(OUTPUT_TOKENS.values())):
        for sentence in _TALES:
            if told < words:
                told += len(sentence.split())
                yield sentence


def _as_json(question: str, model: str) -> str:
    told = {"provider": "demo", "model": model, "you_said": question[:_QUOTED_MAX]}
    return msgspec.json.encode(told).decode()
