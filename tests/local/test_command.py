"""The command `cafe local`."""

from __future__ import annotations

import resource
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from local import limits, stack
from local.display import EXAMPLE_ORDER, Display

cafe = CliRunner()


@pytest.mark.parametrize("words", ["local stop --directory {}", "local --directory {} stop"])
def test_stopping_a_stack_that_is_not_running_is_not_an_error(tmp_path: Path, words: str) -> None:
    result = cafe.invoke(app, words.format(tmp_path).split())
    assert result.exit_code == 0
    assert result.output == f"No local stack runs in {tmp_path}.\n"


@pytest.mark.parametrize("port", ["-1", "65536", "many"])
def test_an_invalid_port_is_wrong_usage(port: str) -> None:
    assert cafe.invoke(app, ["local", "--port", port]).exit_code == 2


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((64, 256), (256, 256)),
        ((256, resource.RLIM_INFINITY), (4096, resource.RLIM_INFINITY)),
        ((5000, 6000), (5000, 6000)),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), (resource.RLIM_INFINITY, resource.RLIM_INFINITY)),
    ],
)
def test_the_limit_of_open_files_is_raised_as_far_as_allowed(
    before: tuple[int, int], after: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = {resource.RLIMIT_NOFILE: before}
    monkeypatch.setattr(resource, "getrlimit", limit.__getitem__)
    monkeypatch.setattr(resource, "setrlimit", limit.__setitem__)
    limits.raise_open_files()
    assert limit == {resource.RLIMIT_NOFILE: after}


def test_too_low_a_limit_of_open_files_is_reported_before_anything_starts(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    program = Path(sys.executable).with_name("cafe")
    result = subprocess.run(
        ["/bin/sh", "-c", 'ulimit -n 255 && exec "$0" "$@"', program, "local", "--directory", directory],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "may open 255 files here, and a local stack needs 256" in result.stderr
    assert not directory.exists()


def test_settings_and_directories_outside_ascii_reach_a_detached_stack_in_any_locale(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "Café ☕"
    directory.mkdir()
    (directory / "thesis.tex").touch()
    program = Path(sys.executable).with_name("cafe")
    result = subprocess.run(
        [program, "local", "--detach", "--directory", directory, "--config", 'menu=["Café ☕=1"]'],
        env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr == (
        f"Error: {directory} holds files that local mode did not create; choose an empty --directory.\n"
    )


def test_a_directory_with_other_files_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.tex").touch()
    result = cafe.invoke(app, ["local", "--directory", str(tmp_path)])
    assert result.exit_code == 1
    assert "choose an empty --directory" in result.output + capfd.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("entry", ["dashboardAccess", "=login", ""])
def test_a_setting_without_key_or_value_is_wrong_usage(entry: str) -> None:
    result = cafe.invoke(app, ["local", "--config", entry])
    assert result.exit_code == 2
    assert "KEY=VALUE" in result.output


def test_a_setting_may_hold_an_equals_sign() -> None:
    assert stack.parse_settings(['menu=["Tea=2"]', "a="]) == {"menu": '["Tea=2"]', "a": ""}


def test_the_kitchens_login_is_printed_and_the_api_key_is_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    outputs = {"page_url": "http://p/order-status", "orders_url": "http://o", "orders_api_key": "k3y"}
    Display().finished(outputs, [], "Stop.", {"user": "barista@cafe.example", "password": "p4ssw0rd"})
    output = capsys.readouterr().out
    assert "http://p/kitchen" in output
    assert "barista@cafe.example, password p4ssw0rd" in output
    assert "k3y" not in output


def test_the_printed_example_is_a_valid_command(capsys: pytest.CaptureFixture[str]) -> None:
    url = "http://127.0.0.1:4566/_aws/execute-api/a/prod/orders"
    outputs = {"page_url": "http://d.cloudfront.localhost:4566/order-status", "orders_url": url}
    Display().finished(outputs, ["This [differs]."], "Ctrl-C stops it.")
    output = capsys.readouterr().out
    command = next(line for line in output.splitlines() if "curl" in line).partition(":")[2]
    words = shlex.split(command)
    assert (words[0], words[-1]) == ("curl", url)
    assert EXAMPLE_ORDER in words
    assert "This [differs]." in output
    assert outputs["page_url"] in output
