"""The command line of `make chaos`."""

from __future__ import annotations

import io
import json
import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from rich.console import Console
from rich.live import Live
from typer.testing import CliRunner

from chaos import __main__ as command
from chaos import display
from chaos.figures import Figures, Progress
from chaos.run import StoppedError
from cli import main
from cli.checks import Check
from cli.options import Target
from cli.stack import REPOSITORY
from cli.traffic.plan import Entrance


@pytest.fixture
def typed() -> Callable[..., tuple[int, str, str]]:
    def run(*words: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(command.app, [*words])
        return result.exit_code, result.stdout, result.stderr

    return run


def test_only_a_local_stack_is_broken(typed: Callable[..., tuple[int, str, str]]) -> None:
    code, out, error = typed("--stack", "prod", "--json")
    assert code == 2
    assert "works on the local stack only, not on prod" in error
    assert "local stack only" in json.loads(out)["error"]


def test_without_a_stack_the_command_that_starts_one_is_named(
    typed: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    code, _, error = typed("--directory", str(tmp_path))
    assert code == 2
    assert "make local" in error


def test_an_outage_is_refused_with_a_number_of_moves(typed: Callable[..., tuple[int, str, str]]) -> None:
    code, _, error = typed("--outage", "--moves", "5")
    assert code == 2
    assert "no order moves during an outage" in error


def test_a_failing_display_ends_the_run_before_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    class Run:
        """A run that repairs its faults at its end."""

        def __init__(self) -> None:
            self.repaired = False
            self.progress = Progress()

        def run(self) -> list[Check]:
            try:
                self.progress.enter("Sending")
            finally:
                self.repaired = True
            return []

    def fail(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(display, "note", fail)
    run: Any = Run()
    with pytest.raises(BrokenPipeError):
        command._watch(run)
    assert run.repaired


def test_a_stopped_run_has_no_checks() -> None:
    class Run:
        """A run that is stopped by Ctrl-C."""

        def __init__(self) -> None:
            self.progress = Progress()
            self.stopping = threading.Event()

        def stop(self) -> None:
            self.stopping.set()

        def run(self) -> list[Check]:
            signal.raise_signal(signal.SIGINT)
            assert self.stopping.is_set()
            raise StoppedError

    run: Any = Run()
    assert command._watch(run) is None


def test_in_a_file_each_phase_and_fault_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    with display.screen(progress):
        progress.enter("Sending")
        progress.set_broken("MariaDB is killed")
        progress.set_broken(None)

    lines = [line.split(": ", 1)[1] for line in capsys.readouterr().err.splitlines()]
    assert lines == ["Sending", "MariaDB is killed", "Sending"]


def test_in_a_terminal_the_current_fault_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.StringIO()
    monkeypatch.setattr(display, "err", Console(file=output, force_terminal=True, width=100))
    progress = Progress(messages=10)
    with display.screen(progress) as live:
        progress.enter("Sending")
        progress.set_broken("MariaDB is killed")
        assert isinstance(live, Live)
        live.refresh()

    assert "Broken now: MariaDB is killed" in re.sub(r"\x1b\[[\d;]*m", "", output.getvalue())


def test_the_help_imports_no_slow_libraries() -> None:
    # This process may have imported them; the modules that need them count.
    head = Path(command.__file__).read_text().split("def chaos_command")[0]
    assert not any(f"import {name}" in head for name in ("boto3", "pymysql", "httpx"))


@pytest.mark.parametrize("words", [("--orders", "99"), ("--seed", "nan"), ("now",)])
def test_a_wrong_option_is_wrong_usage(
    typed: Callable[..., tuple[int, str, str]], words: tuple[str, ...]
) -> None:
    code, _, error = typed(*words)
    assert code == 2
    assert words[0] in error


@pytest.mark.parametrize("option", ["--repair", "--mend"])
def test_a_repair_also_has_its_old_name(
    typed: Callable[..., tuple[int, str, str]], option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Target, "stack", None)
    monkeypatch.setattr(Target, "clients", None)
    monkeypatch.setattr(command, "Faults", lambda *_: Mock(repair_all=lambda: ["MariaDB"]))
    code, out, _ = typed(option, "--json")
    assert (code, json.loads(out)) == (0, {"mended": True})


def test_the_help_has_examples_for_make() -> None:
    result = CliRunner().invoke(command.app, ["--help"])
    assert result.exit_code == 0
    assert 'make chaos ARGS="--orders 100000 --moves 300000 --seed 7"' in result.stdout


@pytest.mark.parametrize(
    ("words", "instead"),
    [
        ([], "make chaos"),
        (["--orders", "600", "--seed", "7"], "make chaos ARGS='--orders 600 --seed 7'"),
        (["--help"], "make chaos ARGS=--help"),
    ],
)
def test_the_old_command_names_the_new_one(words: list[str], instead: str) -> None:
    result = CliRunner().invoke(main.app, ["chaos", *words])
    assert result.exit_code == 2
    assert result.stderr == f"`cafe chaos` is now a target of make: type `{instead}` in the repository.\n"


def test_the_old_command_names_the_new_one_in_json() -> None:
    result = CliRunner().invoke(main.app, ["chaos", "--json", "--repair"])
    assert "make chaos ARGS='--json --repair'" in json.loads(result.stdout)["error"]


def test_neither_the_command_nor_the_local_mode_imports_chaos() -> None:
    imports = re.compile(r"^\s*(from|import) chaos\b", re.MULTILINE)
    for folder in ("cli", "local", "infra", "functions"):
        for path in (REPOSITORY / folder).rglob("*.py"):
            assert not imports.search(path.read_text()), path
    assert imports.search(Path(command.__file__).read_text())


def test_the_figures_keep_their_names_in_json() -> None:
    figures = Figures(refused_by_api=2)
    figures.sent_to[Entrance.TOPIC] += 3
    figures.faults["database_killed"] = 1
    document = json.loads(json.dumps(figures.document()))
    assert document["doors"] == {"topic": 3, "queue": 0, "http": 0}
    assert (document["refused_at_door"], document["faults"]) == (2, {"database_killed": 1})
    assert not {"sent_to", "refused_by_api"} & document.keys()
