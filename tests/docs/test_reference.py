"""The reference says all that the source has, and nothing else."""

import itertools
import re
import shlex
from pathlib import Path
from typing import Any

import docs_cli
import docs_errors
import docs_events
import docs_http
import docs_settings
import pytest
from blocks import ROOT, inline_code_of, pages, prose_of

import docs
from tekton_budget.domain.event import EventType


def test_the_generated_pages_are_as_the_source_has_them() -> None:
    assert docs.stale() == []


def test_every_code_in_the_source_is_explained_and_no_other() -> None:
    found = docs_errors.codes_in_source()

    assert {one.code for one in found} == set(docs_errors.CODES)


def test_every_code_comes_with_the_status_that_is_said() -> None:
    for one in docs_errors.codes_in_source():
        status = docs_errors.STATUS_OF.get(one.raised)
        said = docs_errors.CODES.get(one.code)
        if status is not None and said is not None and isinstance(said.status, int):
            assert said.status == status, f"{one.place}: {one.code}"


def test_a_code_that_nobody_explains_would_be_noticed(tmp_path: Path) -> None:
    source = tmp_path / "new.py"
    source.write_text('raise NotFound("gone", code="never_heard_of")\n')

    codes = [one.code for one in docs_errors.codes_of(source, tmp_path)]

    assert codes == ["never_heard_of"]
    assert not set(codes) & set(docs_errors.CODES)


def test_every_event_is_explained() -> None:
    assert set(docs_events.EVENTS) == set(EventType)


def test_every_variable_that_a_page_names_is_a_setting() -> None:
    of_options = {
        variable
        for _, command in docs_cli.commands()
        for variable in docs_cli.variables_of(command)
    }
    for page in pages():
        if page.name != "CONTRIBUTING.md" and "reference" not in page.parts:
            named = set(re.findall(r"\bBUDGET_[A-Z_]+\b", page.read_text())) - of_options
            unknown = [one for one in named if not docs_settings.is_known(one)]
            assert unknown == [], page.relative_to(ROOT)


def test_every_make_target_that_a_page_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in pages():
        named = {
            word
            for span in inline_code_of(page)
            if (found := re.fullmatch(r"make ([a-z-]+).*", span))
            for word in [found[1]]
        }
        assert named <= targets, f"{page.relative_to(ROOT)}: {named - targets}"


def test_every_command_that_a_page_names_is_there() -> None:
    known = dict(docs_cli.commands())
    for page in pages():
        for span in inline_code_of(page):
            if span.startswith("tekton-budget"):
                assert _command_fault(span, known) == "", f"{page.relative_to(ROOT)}: {span}"


def _command_fault(span: str, known: dict[tuple[str, ...], Any]) -> str:
    """Why no such command can be given; empty if it can."""
    words = shlex.split(span.replace("…", "").replace("[", "").replace("]", ""))[1:]
    words = list(itertools.takewhile(lambda word: word != "--", words))  # then others' words
    path: tuple[str, ...] = ()
    while len(words) > len(path) and (*path, words[len(path)]) in known:
        path = (*path, words[len(path)])
    rest = words[len(path) :]
    if rest and not path and not rest[0].startswith("-"):
        return f"no command {rest[0]}"
    if rest and hasattr(known[path], "commands") and not rest[0].startswith("-") and path:
        return f"no command {rest[0]} of {' '.join(path)}"
    options = docs_cli.options_of(known[path]) | docs_cli.options_of(known[()])
    wrong = [word for word in rest if word.startswith("--") and word.split("=")[0] not in options]
    return f"no option {', '.join(wrong)}" if wrong else ""


def test_every_route_that_a_page_names_is_there() -> None:
    known = {(method, path) for method, path, _ in docs_http.routes()}
    known |= {(method, path.removeprefix("/api/v1")) for method, path in known}  # as in a table
    for page in pages():
        for span in inline_code_of(page):
            found = re.fullmatch(r"(GET|POST|PUT|PATCH|DELETE) (/[^\s?]*).*", span)
            if found is not None:
                there = any(
                    found[1] == method
                    and re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", path), found[2])
                    for method, path in known
                )
                assert there, f"{page.relative_to(ROOT)}: {span}"


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_use_our_words(page: Path) -> None:
    """One word per thing (docs/glossary.md): these are never said of an allocation."""
    said = re.findall(
        r"\b(reservation|preauthori[sz]ation|quota bucket)s?\b", prose_of(page), re.IGNORECASE
    )

    assert said == []
