"""Recorded output of `pulumi preview --diff`."""

from pathlib import Path

CHANGED, UNCHANGED = (
    (Path(__file__).parent / f"{name}.txt").read_text("utf-8") for name in ("changed", "unchanged")
)
