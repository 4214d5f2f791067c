"""Finds Pulumi's CLI; `python -m tests.engine.cli` prints its path, or an error message."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from infra.recording import ROOT


class NoCliError(Exception):
    """The CLI is missing, or too old for the tests."""


def search_path() -> str:
    """Return the PATH and the directory of Pulumi's installer."""
    # Not by HOME, which tests change.
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    return os.pathsep.join([os.environ["PATH"], str(home / ".pulumi/bin")])


def find(path: str) -> Path:
    """Find the CLI.

    Raises
    ------
    NoCliError
        It is missing, or older than the project requires.
    """
    program = shutil.which("pulumi", path=path)
    if program is None:
        raise NoCliError("Pulumi's CLI is missing; install it as in https://www.pulumi.com/docs/install/")
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text("utf-8"))
    required: str = project["requiredPulumiVersion"].removeprefix(">=")
    found = subprocess.run([program, "version"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    if _numbers(found) < _numbers(required):
        raise NoCliError(f"{program} is {found}: update it to {required} or newer, as Pulumi.yaml requires")
    return Path(program)


def _numbers(version: str) -> list[int]:
    """Parse a version such as `v3.272.0`."""
    return [int(number) for number in re.findall(r"\d+", version)[:3]]


if __name__ == "__main__":
    try:
        print(find(search_path()))
    except NoCliError as error:
        sys.exit(f"{error}.")
