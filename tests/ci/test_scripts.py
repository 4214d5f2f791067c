"""The scripts of the workflows, with fakes of the programs that they run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from infra.recording import ROOT
from tests.ci.previews import CHANGED
from tests.waiting import eventually


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy the scripts; `make` records its arguments, and prints a preview."""
    shutil.copytree(ROOT / "scripts/ci", tmp_path / "scripts/ci")
    (tmp_path / "preview").write_text(CHANGED)
    program(tmp_path / "scripts/setup", "exit 0")
    program(tmp_path / "bin/make", 'echo "$@" >>typed; cat preview; echo warned >&2; exit ${FAILS:-0}')
    return tmp_path


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def run(checkout: Path, script: str, **variables: str) -> int:
    environment = {"PATH": f"{checkout}/bin:{os.environ['PATH']}", **variables}
    done = subprocess.run(
        [f"scripts/ci/{script}"], cwd=checkout, env=environment, capture_output=True, check=False
    )
    return done.returncode


def typed(checkout: Path) -> list[str]:
    return (checkout / "typed").read_text().splitlines()


@pytest.mark.parametrize("fails", ["0", "2"])
def test_a_preview_is_saved_with_its_errors_and_returns_the_exit_code(checkout: Path, fails: str) -> None:
    assert run(checkout, "preview", STACK="prod", FAILS=fails) == int(fails)
    assert (checkout / "preview-prod.txt").read_text() == CHANGED + "warned\n"
    assert typed(checkout) == ["preview ARGS=--diff --non-interactive --color never --suppress-progress"]


def test_the_diff_from_the_target_branch_is_in_the_summary(checkout: Path) -> None:
    assert run(checkout, "diff", GITHUB_STEP_SUMMARY="summary") == 0
    assert (checkout / "summary").read_text() == f"```diff\n{CHANGED.rstrip()}\n```\n"
    assert typed(checkout) == ["diff BASE=HEAD^1"]


def test_a_failing_program_fails_the_diff(checkout: Path) -> None:
    assert run(checkout, "diff", GITHUB_STEP_SUMMARY="summary", FAILS="1") == 1


def test_the_local_stack_is_stopped_even_if_the_verification_fails(checkout: Path) -> None:
    program(checkout / "bin/make", 'echo "$@" >>typed; [ "$1" != verify ]')
    program(checkout / ".venv/bin/cafe", 'echo "cafe $@" >>typed')

    assert run(checkout, "local") == 1

    assert typed(checkout) == ["local ARGS=--detach", "verify STACK=local", "cafe local stop"]


def test_mysql_is_added_to_the_path_of_the_next_steps(checkout: Path) -> None:
    program(checkout / "bin/brew", '[ "$1" != --prefix ] || echo "/brew/$2"')

    assert run(checkout, "mysql", GITHUB_PATH="path") == 0

    assert (checkout / "path").read_text() == "/brew/mysql@8.4/bin\n"


@pytest.mark.parametrize("fails", ["0", "1"])
def test_both_stacks_are_previewed_with_the_emulator_in_place_of_aws(checkout: Path, fails: str) -> None:
    emulator = "trap 'echo stopped >>typed; exit' TERM; touch ready; sleep 9 & wait"
    program(checkout / ".venv-ministack/bin/python", emulator)
    program(checkout / "bin/curl", "while [ ! -e ready ]; do sleep 0.05; done")
    program(checkout / "bin/pulumi", 'echo "$@ in ${PULUMI_BACKEND_URL%%:*}" >>typed')
    program(checkout / "bin/make", 'echo "$1 $2 at $AWS_ENDPOINT_URL" >>typed; exit ${FAILS:-0}')

    assert run(checkout, "providers", FAILS=fails) == int(fails)

    url = "http://127.0.0.1:4599"
    previews = [
        line
        for stack in ("dev", "prod")
        for line in (f"stack init {stack} in file", f"preview STACK={stack} at {url}")
    ]
    assert eventually(lambda: "stopped" in typed(checkout))
    assert typed(checkout) == [*(previews[:2] if fails == "1" else previews), "stopped"]
