"""Lets tests of the documentation import what writes it (scripts/) and what runs it (here)."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
for folder in (HERE, HERE.parent.parent / "scripts"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
