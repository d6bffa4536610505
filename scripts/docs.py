"""Writes the reference from the source, and checks that no link or generated page has gone stale.

`python scripts/docs.py` writes and checks; with `--check` it writes nothing and fails where it would.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import docs_cli
import docs_drop_ins
import docs_errors
import docs_events
import docs_http
import docs_limits
import docs_metrics
import docs_policies
import docs_proof
import docs_python
import docs_settings
from docs_markdown import MARK, REFERENCE, ROOT

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)

GENERATED: dict[str, Callable[[], str]] = {
    part.PAGE: part.text
    for part in (
        docs_cli,
        docs_http,
        docs_python,
        docs_settings,
        docs_policies,
        docs_errors,
        docs_events,
        docs_metrics,
        docs_limits,
        docs_drop_ins,
    )
}


def pages() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def anchors_of(text: str) -> set[str]:
    """The fragments that a rendered page offers, one for each heading."""
    headings = HEADING.findall(FENCE.sub("", text))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def faults_of(page: Path) -> list[str]:
    faults = []
    for groups in LINK.findall(FENCE.sub("", page.read_text())):
        target = groups[0] or groups[1]
        if re.match(r"[a-z]+:", target):
            continue  # another site's affair: nothing here reaches the network
        path, _, fragment = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        if not linked.exists():
            faults.append(f"{page.relative_to(ROOT)}: no file at {target}")
        elif fragment and linked.suffix == ".md" and fragment not in anchors_of(linked.read_text()):
            faults.append(f"{page.relative_to(ROOT)}: no heading at {target}")
    return faults


def write() -> None:
    """Every generated page as the source has it now, and none that the source no longer has."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    docs_proof.write()
    for name, text in GENERATED.items():
        (REFERENCE / name).write_text(text())
    for page in REFERENCE.glob("*.md"):
        if page.name not in GENERATED and MARK in page.read_text():
            page.unlink()


def stale() -> list[str]:
    """The generated pages that say something else than the source."""
    faults = docs_proof.stale()
    for name, text in GENERATED.items():
        page = REFERENCE / name
        if not page.exists() or page.read_text() != text():
            faults.append(f"docs/reference/{name} is stale: run make docs, and keep what it writes")
    return faults


def main(arguments: list[str]) -> int:
    if arguments != ["--check"]:
        write()
    faults = stale() + [fault for page in pages() for fault in faults_of(page)]
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
