"""The whole command: help, errors, and the installed program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
import typer.rich_utils

import cli
from cli import __main__ as program
from cli import main, stack
from tests.cli.conftest import Cafe
from tests.cli.stand_in import FakeApi

COMMANDS = ["order", "status", "verify", "reconcile", "replay", "load", "doctor"]
DLQ = ["list", "show", "redrive", "edit", "purge", "export", "import"]


@pytest.mark.parametrize(
    "command", [*COMMANDS, *(f"dlq {name}" for name in DLQ), "worker pause", "worker resume"]
)
def test_the_help_of_every_command_has_examples(cafe: Cafe, command: str) -> None:
    result = cafe(*command.split(), "--help")

    assert result.exit_code == 0
    assert "Examples" in result.stdout
    assert f"cafe {command}" in result.stdout
    for option in ("--stack", "--directory", "--json", "--debug"):
        assert option in result.stdout


def test_help_is_wrapped_to_the_terminal(cafe: Cafe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typer.rich_utils, "MAX_WIDTH", 250)

    assert "never becomes two. Exit code 1" in cafe("order", "--help").stdout
    assert "so Ctrl-C and a second run are safe" in cafe("dlq", "redrive", "--help").stdout


def test_help_lists_the_commands_without_importing_them(cafe: Cafe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(main, "import_module")

    listed = " ".join(cafe("--help").stdout.replace("│", " ").split())

    assert all(f" {name} {summary} " in listed for name, summary in main.COMMANDS.items() if summary)
    assert " chaos " not in listed


def test_the_list_of_commands_has_the_first_sentence_of_each_help() -> None:
    commands = typer.main.get_command(main.app).commands  # type: ignore[attr-defined]
    texts = {name: command.help.split("\n\n")[0] for name, command in commands.items() if not command.hidden}

    assert texts == {name: summary for name, summary in main.COMMANDS.items() if summary}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["order"], "Missing argument 'ITEM'."),
        (["order", "Tea", "--quantity", "many"], "Invalid value for '--quantity'"),
        (["dlq", "redrive", "--rate", "0"], "Invalid value for '--rate'"),
        (["dlq", "nothing"], "No such command 'nothing'."),
        (["load", "--orders", "100000000"], "less than or equal to 1000000"),
        (["replay", "--from", "0001-01-01T00:00+14:00"], "is not a date or time"),
    ],
)
def test_wrong_usage_is_one_json_document(cafe: Cafe, words: list[str], sentence: str) -> None:
    result = cafe(*words, "--json")

    assert result.exit_code == 2
    assert sentence in json.loads(result.stdout)["error"]


def test_an_invalid_variable_is_reported_like_an_invalid_option(
    cafe: Cafe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAFE_DEBUG", "perhaps")
    result = cafe("status", "--json")

    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"] == (
        "Invalid value for '--debug' (env var: 'CAFE_DEBUG'): It must be a valid boolean"
    )


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in the command itself."""

    def load(*_: object) -> stack.Stack:
        raise RuntimeError("a [bold]mistake\x1b")

    monkeypatch.setattr(stack, "load", load)


def test_an_unexpected_error_prints_no_traceback(cafe: Cafe, broken: None) -> None:
    result = cafe("status")

    assert result.exit_code == 1
    assert result.stderr == (
        "Unexpected RuntimeError: a [bold]mistake\\x1b (`--debug` prints the traceback).\n"
    )


@pytest.mark.parametrize("words", [["status", "--debug"], ["--debug", "status"]])
def test_debug_shows_the_traceback(cafe: Cafe, broken: None, words: list[str]) -> None:
    result = cafe(*words)

    assert result.exit_code == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert "Unexpected RuntimeError" in result.stderr


def test_debug_can_be_set_in_the_environment(
    cafe: Cafe, broken: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAFE_DEBUG", "1")

    assert "Traceback" in cafe("status").stderr


def test_ctrl_c_at_any_other_moment_ends_with_130(cafe: Cafe, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object) -> stack.Stack:
        raise KeyboardInterrupt

    monkeypatch.setattr(stack, "load", load)

    result, in_script = cafe("status"), cafe("status", "--json")

    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "Stopped.\n")
    assert (in_script.exit_code, json.loads(in_script.stdout)) == (130, {"error": "Stopped."})


class InterruptedImport:
    """Ends the import of the command line as Ctrl-C does."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name == "cli.main":
            raise KeyboardInterrupt


def test_ctrl_c_during_the_import_ends_the_program_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cli, "main")
    monkeypatch.delitem(sys.modules, "cli.main")
    monkeypatch.setattr(sys, "meta_path", [InterruptedImport, *sys.meta_path])

    with pytest.raises(SystemExit) as ended:
        program.main()

    assert ended.value.code == 130


def test_the_installed_command_works_in_a_terminal_that_knows_ascii_only(
    api: FakeApi, local_stack: Path
) -> None:
    executable = Path(sys.executable).with_name("cafe")
    run = subprocess.run(
        [executable, "order", "Café", "--json", "--directory", local_stack],
        env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (run.returncode, run.stderr) == (0, "")
    assert json.loads(run.stdout)["order_ids"] == ["order-1"]
    assert api.orders[0].body["item"] == "Café"


needs_full_device = pytest.mark.skipif(not Path("/dev/full").exists(), reason="macOS has no /dev/full")


@pytest.mark.parametrize(
    ("words", "redirection", "exit_code", "sentence"),
    [
        pytest.param("order Tea --json", ">/dev/full", 1, "No space left on device", marks=needs_full_device),
        pytest.param("--help", ">/dev/full", 1, "No space left on device", marks=needs_full_device),
        ("order Tea --json", ">&-", 0, ""),
    ],
)
def test_an_unwritable_standard_output_prints_no_traceback(
    api: FakeApi, local_stack: Path, words: str, redirection: str, exit_code: int, sentence: str
) -> None:
    executable = Path(sys.executable).with_name("cafe")
    run = subprocess.run(
        ["/bin/sh", "-c", f"'{executable}' {words} {redirection}"],
        env={**os.environ, "CAFE_LOCAL_DIRECTORY": str(local_stack)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert run.returncode == exit_code
    assert sentence in run.stderr
    assert "Traceback" not in run.stderr
    assert "Unexpected" not in run.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("replay", "--from", "2026-11-22", "--source", "mysql"), "'mysql' is not one of 'rds', 'dynamodb'."),
        (("dlq", "list", "--queue", "x"), "'x' is not one of 'orders', 'subscription'."),
        (("load", "--through", "x"), "'x' is not one of 'http', 'topic'."),
        (("order", "Tea", "--count", "0"), "It must be greater than or equal to 1"),
        (("order", "Tea", "--count", "many"), "It must be a valid integer"),
        (("local", "--port", "65536"), "It must be less than or equal to 65535"),
        (("verify", "--timeout", "soon"), "It must be a valid number"),
    ],
)
def test_errors_of_options_do_not_contain_library_terms(
    cafe: Cafe, words: tuple[str, ...], sentence: str
) -> None:
    result = cafe(*words)

    text = " ".join(result.stderr.replace("│", " ").split())
    assert result.exit_code == 2
    assert sentence in text
    assert not any(jargon in text for jargon in ("Value error", "Input should", "parse string"))
