"""The names of the program's outputs."""

from __future__ import annotations

from pathlib import Path

OUTPUTS = set((Path(__file__).parent / "outputs.txt").read_text(encoding="utf-8").split())
