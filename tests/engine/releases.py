"""States of stacks that earlier releases deployed: `first`, which has today's names, and `previous`.

`python -m tests.engine.releases previous REVISION` deploys both stacks of a revision with the fake providers,
and saves their states as `releases/previous.zip`.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from infra.recording import ROOT
from tests.engine import cli
from tests.engine.stack import Stack

FOLDER = Path(__file__).parent / "releases"


def state(release: str, stack: str) -> str:
    """Return the state of a stack that a release deployed."""
    with zipfile.ZipFile(FOLDER / f"{release}.zip") as states:
        return states.read(f"{stack}.json").decode()


def record(release: str, revision: str) -> None:
    """Deploy a revision, and save the states."""
    archive = subprocess.run(
        ["git", "archive", revision], cwd=ROOT, stdout=subprocess.PIPE, check=True
    ).stdout
    with (
        tempfile.TemporaryDirectory() as folder,
        zipfile.ZipFile(FOLDER / f"{release}.zip", "w", zipfile.ZIP_LZMA) as states,
    ):
        program = Path(folder)
        with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
            opened.extractall(program, filter="data")
        for name in ("dev", "prod"):
            own = Path(tempfile.mkdtemp(dir=folder))
            stack = Stack.new(name, cli.find(cli.search_path()), own, program)
            deploy = stack.up(program=program)
            if deploy.error:
                sys.exit(deploy.error)
            states.write(stack.state, f"{name}.json")


if __name__ == "__main__":
    record(*sys.argv[1:])
