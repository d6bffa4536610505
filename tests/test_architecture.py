"""House rules that no linter knows: sizes, first sentences, no float near money, nothing left for later."""

import ast
import io
import re
import tokenize
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "tekton_budget"
DOMAIN = SOURCE / "domain"

LINES_MAX = 450
TABLES_MAY_BE_LONG = {"storage/tables.py", "storage/migrations"}
FLOAT_MAY_STAND_IN = {"domain/zones.py"}  # how alike two names of zones are, for a suggestion

LEFT_FOR_LATER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|\bfor now\b|NotImplementedError")
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "base"}
INDEX_HOST = re.compile(
    r"://|--(?:extra-)?index-url|--find-links|--trusted-host|\b(?:pypi|pythonhosted)\b",
    re.IGNORECASE,
)


def modules(folder: Path = SOURCE) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix() if path.is_relative_to(SOURCE) else path.name


def floats_in(source: str) -> list[int]:
    """The lines on which a float is written, made, or divided into being."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Constant(value=float() | complex()):
                lines.append(node.lineno)
            case ast.Name(id="float"):
                lines.append(node.lineno)
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                lines.append(node.lineno)
            case _:
                pass
    return sorted(lines)


def left_for_later_in(source: str) -> list[str]:
    return [line.strip() for line in source.splitlines() if LEFT_FOR_LATER.search(line)]


def comments_of(source: str) -> list[str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT]


@pytest.mark.parametrize("module", modules(), ids=name_of)
def test_a_module_opens_with_a_sentence(module: Path) -> None:
    docstring = ast.get_docstring(ast.parse(module.read_text())) or ""

    assert docstring.strip(), f"{name_of(module)} does not say what it is for"
    first_paragraph = docstring.split("\n\n")[0].strip()
    assert first_paragraph.endswith((".", "?", ":")), f"not a sentence: {first_paragraph!r}"


@pytest.mark.parametrize("module", modules(), ids=name_of)
def test_a_module_holds_one_noun(module: Path) -> None:
    if any(name_of(module).startswith(long) for long in TABLES_MAY_BE_LONG):
        return
    lines = len(module.read_text().splitlines())

    assert lines <= LINES_MAX, f"{name_of(module)} has {lines} lines: which noun is hiding in it?"


@pytest.mark.parametrize("module", modules(), ids=name_of)
def test_a_module_is_named_for_what_is_in_it(module: Path) -> None:
    assert not BANNED_NAMES & set(module.relative_to(SOURCE).with_suffix("").parts)


@pytest.mark.parametrize("module", modules(), ids=name_of)
def test_nothing_is_left_for_later(module: Path) -> None:
    assert left_for_later_in(module.read_text()) == []


@pytest.mark.parametrize("module", modules(), ids=name_of)
def test_what_is_silenced_has_its_reason_beside_it(module: Path) -> None:
    silenced = re.compile(
        r"# (?:type: ignore|noqa)(\[[\w, -]+\]|: [A-Z]+\d+(?:, ?[A-Z]+\d+)*)?(.*)"
    )
    bare = [
        comment
        for comment in comments_of(module.read_text())
        if (found := silenced.search(comment)) and not (found[1] and found[2].strip(" #-:"))
    ]

    assert bare == [], (
        f"{name_of(module)}: name the rule, and say why: # type: ignore[code]  # reason"
    )


@pytest.mark.parametrize("module", modules(DOMAIN), ids=name_of)
def test_the_domain_knows_no_float(module: Path) -> None:
    if name_of(module) in FLOAT_MAY_STAND_IN:
        return

    assert floats_in(module.read_text()) == [], "a float, on these lines"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.name
)
def test_requirement_files_name_no_index_and_pin_by_hash(path: Path) -> None:
    text = path.read_text()
    pinned = re.findall(r"^[\w.\[\]-]+==", text, re.MULTILINE)
    followed_by_hash = re.findall(
        r"^[\w.\[\]-]+==[^\n]*\\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE
    )

    assert not INDEX_HOST.search(text)
    assert pinned
    assert len(followed_by_hash) == len(pinned)


def test_the_pinned_files_carry_what_the_project_asks_for() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    files = {
        name: (ROOT / "requirements" / f"{name}.txt").read_text() for name in ("runtime", "dev")
    }
    asked = {
        "runtime": project["project"]["dependencies"],
        "dev": project["project"]["dependencies"] + project["dependency-groups"]["dev"],
    }
    missing = [
        (file, name)
        for file, requirements in asked.items()
        for requirement in requirements
        if (name := re.match(r"[\w.-]+", requirement)[0])
        and not re.search(rf"^{re.escape(name)}(\[.*\])?==", files[file], re.MULTILINE)
    ]

    assert missing == [], "run `make lock`"


@pytest.mark.parametrize(
    ("finds", "source", "expected"),
    [
        (floats_in, "a = 1.5", [1]),
        (floats_in, "a = float(b)", [1]),
        (floats_in, "a = b / c", [1]),
        (floats_in, "\na /= c", [2]),
        (floats_in, "def f(a: float): ...", [1]),
        (floats_in, "a = 3 // 2\nb = '1.5'", []),
        (left_for_later_in, "# " + "TODO: later", ["# " + "TODO: later"]),
        (left_for_later_in, "todos = 1", []),
    ],
)
def test_these_rules_can_fail(finds: Callable[[str], list], source: str, expected: list) -> None:
    assert finds(source) == expected
