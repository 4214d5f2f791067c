"""The search for Pulumi's CLI, without which the tests of the engine are skipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.cli import NoCliError, find


def install(folder: Path, version: str) -> Path:
    program = folder / "pulumi"
    program.write_text(f"#!/bin/sh\necho {version}\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("version", ["v3.272.0", "v3.1000.0-alpha.1", "v4.0.0"])
def test_a_supported_cli_is_used(tmp_path: Path, version: str) -> None:
    program = install(tmp_path, version)
    assert find(str(tmp_path)) == program


def test_an_older_cli_is_reported_with_the_required_version(tmp_path: Path) -> None:
    program = install(tmp_path, "v3.271.9")
    with pytest.raises(NoCliError, match=rf"^{program} is v3.271.9: update it to 3.272.0 or newer"):
        find(str(tmp_path))


def test_a_missing_cli_can_be_installed(tmp_path: Path) -> None:
    with pytest.raises(NoCliError, match=r"missing; install it as in https://www\.pulumi\.com/docs/install/"):
        find(str(tmp_path))
