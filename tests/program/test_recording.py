"""Runs of the program in one process do not affect each other."""

from __future__ import annotations

from pathlib import Path

import pytest
from pulumi import RunError

from infra.recording import record
from tests.program.conftest import runs

PROGRAM = """
import warnings
import pulumi

warnings.warn("deprecated argument", stacklevel=1)
pulumi.log.warn("deprecated resource")
pulumi.export("number", pulumi.Output.from_input(1).apply(int))
if pulumi.Config().get_bool("fail"):
    raise pulumi.RunError("refused")
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that shows warnings, and can fail."""
    (tmp_path / "Pulumi.yaml").write_text("name: small\nconfig: {}\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    return tmp_path


def test_each_run_reports_all_its_warnings(program: Path) -> None:
    for _ in range(2):
        warnings = runs().submit(record, "dev", {}, program).result()["warnings"]
        assert "deprecated argument" in warnings
        assert "deprecated resource" in warnings


def test_a_run_after_a_failed_one_is_complete(program: Path) -> None:
    with pytest.raises(RunError, match="refused"):
        runs().submit(record, "dev", {"fail": "true"}, program).result()
    assert runs().submit(record, "dev", {}, program).result()["outputs"] == {"number": 1}
