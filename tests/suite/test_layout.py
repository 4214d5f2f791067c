"""The layout of the tests."""

from __future__ import annotations

import re

from infra.recording import ROOT

IMPORT = re.compile(r"^(?:from|import) .*\btest_\w+", re.MULTILINE)


def test_no_test_module_imports_another() -> None:
    modules = (ROOT / "tests").rglob("*.py")
    assert [path.name for path in modules if IMPORT.search(path.read_text(encoding="utf-8"))] == []
