"""The command line of `make bench`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from bench.__main__ import _temporary_directory, main
from bench.subjects import ROOT


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert 'make bench ARGS="--compare HEAD~1"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--only", "batches,speed"], "unknown part 'speed'; there are batches, workers"),
        (["--rounds", "0"], "--rounds must be at least 1"),
    ],
)
def test_a_wrong_option_is_reported(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert sentence in capsys.readouterr().err


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path, server: object) -> None:
    command = [sys.executable, "-m", "bench", "--only", "batches", "--output", str(tmp_path / "report.md")]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"TMPDIR": str(temporary)}, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        rest = ""
        started: list[psutil.Process] = []
        for line in process.stderr:
            rest += line
            if "One worker" in line:
                started = started or psutil.Process(process.pid).children(recursive=True)
                # PyMySQL ignores every exception while it closes a socket, this one too: send it again then.
                process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    assert "nothing is left running" in rest
    assert len(started) >= 3  # the database server and a worker of each system
    assert not [each for each in started if each.is_running()]
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "report.md").exists()


def test_a_second_ctrl_c_does_not_interrupt_the_removal_of_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    remove = shutil.rmtree

    def interrupted(directory: Path) -> None:
        signal.raise_signal(signal.SIGINT)
        remove(directory)

    monkeypatch.setattr(shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt, match="first"), _temporary_directory() as directory:
        raise KeyboardInterrupt("first")
    assert not directory.exists()
