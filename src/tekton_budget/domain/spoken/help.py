"""How commands are used, in lines for people to read."""

from collections.abc import Sequence

from tekton_budget.domain.spoken.words import CHAT, LINE, Part, Word, option_text

_WIDTH = 20


def overview() -> str:
    """Every command with what it is for."""
    chat = [f"  /{one.name:<{_WIDTH - 1}} {one.about}" for one in CHAT]
    line = [f"  {one.name:<{_WIDTH}} {one.about}" for one in LINE if one.name != "start"]
    return "\n".join(
        ["In the chat:", *chat, "", "And as on the command line:", *line, "", "More: /help COMMAND"]
    )


def help_of(word: Word) -> str:
    """What one command does, takes, and how it is written."""
    sign = "/" if word in CHAT else ""
    lines = [f"{word.about}.", "", f"  {word.usage(sign)}"]
    lines += _told("Parameters", [(one.name, one) for one in word.parameters])
    lines += _told("Options", [(option_text(one), one) for one in word.options])
    return "\n".join(lines)


def _told(title: str, parts: Sequence[tuple[str, Part]]) -> list[str]:
    if not parts:
        return []
    width = max(_WIDTH, *(len(name) for name, _ in parts))
    return ["", f"{title}:", *(_line(name, part, width) for name, part in parts)]


def _line(name: str, part: Part, width: int) -> str:
    choices = "" if not part.choices or "|" in name else f": {', '.join(part.choices)}"
    needed = " (needed)" if part.needed else ""
    return f"  {name:<{width}}  {part.about}{choices}{needed}"
