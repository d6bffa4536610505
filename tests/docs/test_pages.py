"""Every block of README and docs/ does what the page says it does."""

import re
from pathlib import Path

import pytest
from blocks import LANGUAGES, ROOT, Block, agrees, blocks_of, pages
from reader import Misled, Reader

RUNS = ("sh", "console", "python")
# Blocks that no test can run; each says why, beside it. The aim is none.
NOT_RUN_MAX = 1

PAGES = [page for page in pages() if "reference" not in page.parts]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_can_be_followed(page: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    blocks = blocks_of(page)
    if not blocks:
        return
    needs_postgres = "postgresql:///budget" in page.read_text()
    postgres = request.getfixturevalue("postgres_server") if needs_postgres else None
    with Reader(tmp_path, postgres) as reader:
        for position, block in enumerate(blocks):
            if block.language == "text" or (block.not_run and block.language in RUNS):
                continue
            reader.follow(block, _output_of(blocks, position))


def _output_of(blocks: list[Block], position: int) -> Block | None:
    """A `text` block is what the block before it prints."""
    follower = blocks[position + 1] if position + 1 < len(blocks) else None
    return follower if follower is not None and follower.language == "text" else None


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_can_be_checked(page: Path) -> None:
    blocks = blocks_of(page)

    assert [block.place for block in blocks if block.language not in LANGUAGES] == []
    for before, block in zip([None, *blocks], blocks, strict=False):
        if block.language == "text":
            of = before.language if before is not None else "nothing"
            assert of in RUNS, f"{block.place} is the output of {of}"


def test_hardly_a_block_is_left_out() -> None:
    left_out = [f"{b.place}: {b.not_run}" for page in pages() for b in blocks_of(page) if b.not_run]

    assert len(left_out) <= NOT_RUN_MAX, left_out


def test_every_toml_in_the_reference_is_a_settings_file(tmp_path: Path) -> None:
    with Reader(tmp_path) as reader:
        for page in pages():
            if "reference" in page.parts:
                for block in blocks_of(page):
                    if block.language in ("toml", "json", "yaml"):
                        reader.follow(block, None)


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        ("one\ntwo", "one\ntwo\n\n", True),
        ("one   two", "one two", True),
        ("one\n...", "one\n", True),
        ("one\n...\nfour", "one\ntwo\nthree\nfour", True),
        ("id ... ok", "id 0192 ok", True),
        ("id ... ok", "id 0192\nok", False),
        ("one", "one\ntwo", False),
        ("", "anything", False),
    ],
)
def test_output_is_compared_loosely(expected: str, actual: str, same: bool) -> None:
    assert agrees(expected, actual) is same


@pytest.mark.parametrize(
    "wrong",
    [
        "```sh\nfalse\n```\n",
        "```console\n$ echo one\ntwo\n```\n",
        "```python\nassert 1 == 2\n```\n",
        "```python\nprint(1)\n```\n\n```text\n2\n```\n",
        "```toml\nno_such_setting = 1\n```\n",
        "```json\n{not json}\n```\n",
    ],
)
def test_a_page_that_misleads_is_found_out(
    wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text(wrong)
    monkeypatch.setattr("blocks.ROOT", tmp_path)
    blocks = blocks_of(page)

    with (
        Reader(tmp_path / "reader") as reader,
        pytest.raises((Misled, ValueError), match=re.compile("page.md|Expecting", re.DOTALL)),
    ):
        reader.follow(blocks[0], _output_of(blocks, 0))


def test_what_a_block_sets_is_there_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```sh\nword=kept\nmkdir below\ncd below\n```\n"
        "```console\n$ echo $word\nkept\n$ basename $PWD\nbelow\n```\n"
        "```python\nimport os\nkept = os.environ['word']\n```\n"
        "```python\nprint(kept)\n```\n```text\nkept\n```\n"
    )
    monkeypatch.setattr("blocks.ROOT", tmp_path)
    blocks = blocks_of(page)

    with Reader(tmp_path / "reader") as reader:
        for position, block in enumerate(blocks):
            if block.language != "text":
                reader.follow(block, _output_of(blocks, position))
