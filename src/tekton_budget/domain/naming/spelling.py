"""Spelling: what a name may hold at all, and the form in which two spellings of it are equal.

Folding changes punctuation and the order of words, never what a name says: `gpt-5-4-mini` is
`gpt-5.4-mini`, but a suffix, a date or a version more or less makes another name.
"""

import re
from collections.abc import Callable

NAME_MAX = 300  # characters

_BLANKS = " \t\r\n"
_QUOTES = "'\"`"
_SEPARATORS = str.maketrans("._@", "---")
_DATE = re.compile(r"(?<!\d)(20\d\d)-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(?!\d)")
_VERSION_FIRST = re.compile(r"(?<![a-z0-9])(claude|gemini)((?:-\d{1,2})+)-([a-z]+)(?![a-z0-9])")
_FIREWORKS_POINT = re.compile(r"(?<=\d)p(?=\d)")
_BEDROCK_FIRST_VERSION = re.compile(r"(-v1)?(:0)?$")
_FIREWORKS_PATH = "accounts/fireworks/models/"


def cleaned(name: str) -> str | None:
    """The name without blanks and stray quotes around it; `None` if it cannot be a name.

    A name is printable ASCII: a letter of another alphabet may look the same and is another.
    """
    name = name.strip(_BLANKS).strip(_QUOTES).strip(_BLANKS)
    fit = 0 < len(name) <= NAME_MAX and name.isascii() and name.isprintable()
    return name if fit else None


def folded(seller: str, name: str) -> str:
    """The form in which all spellings of one name of this seller are equal."""
    name = name.lower()
    own = _OWN_FOLDING.get(seller)
    plain = (own(name) if own else name).translate(_SEPARATORS)
    return _DATE.sub(r"\1\2\3", _VERSION_FIRST.sub(r"\1-\3\2", plain))


def _bedrock(name: str) -> str:
    """`-v1:0`, `-v1` and nothing are the first version; `v2`, or `:1` of Claude 2.1, are others."""
    return _BEDROCK_FIRST_VERSION.sub("", name, count=1)


def _openai(name: str) -> str:
    """Azure writes 35 for 3.5."""
    return "gpt-3.5-" + name.removeprefix("gpt-35-") if name.startswith("gpt-35-") else name


def _fireworks(name: str) -> str:
    """Fireworks writes `p` for the point, under the path of its account."""
    return _FIREWORKS_POINT.sub(".", name.removeprefix(_FIREWORKS_PATH))


_OWN_FOLDING: dict[str, Callable[[str], str]] = {
    "bedrock": _bedrock,
    "openai": _openai,
    "azure": _openai,
    "azure_ai": _openai,
    "fireworks": _fireworks,
}
