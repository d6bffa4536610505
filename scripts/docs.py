"""Checks the project's Markdown: every relative link leads to a file, every fragment to a heading."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)


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


def main() -> int:
    faults = [fault for page in pages() for fault in faults_of(page)]
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
