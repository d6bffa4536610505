"""A page of documentation as the blocks a reader would paste, in order."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

# What a reader does not see: the block is left running, as in a terminal of its own.
IN_BACKGROUND = "<!-- in a terminal of its own -->"
# What a reader does see: why a block cannot be run by a test.
NOT_RUN = re.compile(r"\*Not run by the tests: (?P<reason>.+)\*")

LANGUAGES = frozenset({"sh", "console", "python", "text", "json", "toml", "yaml", "dockerfile"})

_OPENS = re.compile(r"^(?P<indent> *)```(?P<language>\w*)$")


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    language: str
    text: str
    in_background: bool = False
    not_run: str = ""

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """README and every page of docs/ that people write; decisions (adr/) hold no commands."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page for page in found if "adr" not in page.parts]


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page. An unclosed fence is an error."""
    lines = page.read_text().splitlines()
    found: list[Block] = []
    number = 0
    while number < len(lines):
        opened = _OPENS.match(lines[number])
        if opened is None:
            assert not lines[number].lstrip().startswith("```"), f"{page}:{number + 1}: odd fence"
            number += 1
            continue
        end = lines.index(f"{opened['indent']}```", number + 1)
        before = [line.strip() for line in lines[max(0, number - 2) : number] if line.strip()]
        reason = NOT_RUN.search(before[-1]) if before else None
        found.append(
            Block(
                page=page,
                line=number + 2,
                language=opened["language"],
                text="\n".join(
                    line.removeprefix(opened["indent"]) for line in lines[number + 1 : end]
                ),
                in_background=IN_BACKGROUND in before,
                not_run=reason["reason"] if reason else "",
            )
        )
        number = end + 1
    return found


def prose_of(page: Path) -> str:
    """What stands outside of the blocks."""
    kept: list[str] = []
    fenced = False
    for line in page.read_text().splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            kept.append(line)
    return "\n".join(kept)


def inline_code_of(page: Path) -> list[str]:
    """The code spans of a page's prose."""
    return re.findall(r"`([^`\n]+)`", prose_of(page))


def loosely(expected: str) -> re.Pattern[str]:
    """Expected output as a pattern: `...` alone on a line is any lines, within one any text."""
    pattern = ""
    for line in expected.rstrip().splitlines():
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pieces = (re.escape(piece) for piece in _squeezed(line).split("..."))
            pattern += r"[^\n]*?".join(pieces) + "\n"
    return re.compile(pattern)


def agrees(expected: str, actual: str) -> bool:
    """Whether output is as a page says; runs of blanks are one blank, empty lines at the end none."""
    shown = "".join(f"{_squeezed(line)}\n" for line in actual.rstrip().splitlines())
    return loosely(expected).fullmatch(shown) is not None


def _squeezed(line: str) -> str:
    return re.sub(r"[ \t]+", " ", line.rstrip())
