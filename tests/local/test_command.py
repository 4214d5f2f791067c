"""`cafe local` as it is typed."""

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
def test_stopping_what_does_not_run_says_so_and_is_no_error(tmp_path: Path, words: str) -> None:
    result = cafe.invoke(app, words.format(tmp_path).split())
    assert result.exit_code == 0
    assert result.output == f"No local stack runs in {tmp_path}.\n"


@pytest.mark.parametrize("port", ["-1", "65536", "many"])
def test_a_port_that_cannot_be_is_wrong_usage(port: str) -> None:
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
def test_the_limit_of_open_files_is_raised_as_far_as_it_may_be(
    before: tuple[int, int], after: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = {resource.RLIMIT_NOFILE: before}
    monkeypatch.setattr(resource, "getrlimit", limit.__getitem__)
    monkeypatch.setattr(resource, "setrlimit", limit.__setitem__)
    limits.raise_open_files()
    assert limit == {resource.RLIMIT_NOFILE: after}


def test_too_low_a_limit_of_open_files_is_named_before_anything_starts(tmp_path: Path) -> None:
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


def test_a_setting_and_a_directory_of_any_letters_reach_a_detached_stack_in_any_locale(
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
        f"Error: {directory} holds files that local mode did not make; choose an empty --directory.\n"
    )


def test_a_directory_of_others_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
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


def test_who_works_in_the_kitchen_is_shown_with_a_password_and_no_key(
    capsys: pytest.CaptureFixture[str],
) -> None:
    outputs = {"page_url": "http://p/order-status", "orders_url": "http://o", "orders_api_key": "k3y"}
    Display().finished(outputs, [], "Stop.", {"user": "barista@cafe.example", "password": "p4ssw0rd"})
    shown = capsys.readouterr().out
    assert "http://p/kitchen" in shown
    assert "barista@cafe.example, password p4ssw0rd" in shown
    assert "k3y" not in shown


def test_the_example_order_can_be_pasted(capsys: pytest.CaptureFixture[str]) -> None:
    url = "http://127.0.0.1:4566/_aws/execute-api/a/prod/orders"
    outputs = {"page_url": "http://d.cloudfront.localhost:4566/order-status", "orders_url": url}
    Display().finished(outputs, ["This [differs]."], "Ctrl-C stops it.")
    shown = capsys.readouterr().out
    command = next(line for line in shown.splitlines() if "curl" in line).partition(":")[2]
    words = shlex.split(command)
    assert (words[0], words[-1]) == ("curl", url)
    assert EXAMPLE_ORDER in words
    assert "This [differs]." in shown
    assert outputs["page_url"] in shown
