"""The reference says all that the source has, and nothing else."""

import re
from pathlib import Path

import docs_errors
import docs_events
import docs_settings
import pytest
from blocks import ROOT, inline_code_of, pages, prose_of

import docs
from tekton_budget.domain.event import EventType
from tekton_budget.settings import Settings


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
    known = {f"BUDGET_{name.upper()}" for name in Settings.model_fields}
    known |= set(docs_settings.client_variables())
    for page in pages():
        if page.name != "CONTRIBUTING.md":
            named = set(re.findall(r"\bBUDGET_[A-Z_]+\b", page.read_text()))
            assert named <= known, f"{page.relative_to(ROOT)}: {named - known}"


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


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_use_our_words(page: Path) -> None:
    """One word per thing (docs/glossary.md): these are never said of an allocation."""
    said = re.findall(
        r"\b(reservation|preauthori[sz]ation|quota bucket)s?\b", prose_of(page), re.IGNORECASE
    )

    assert said == []
