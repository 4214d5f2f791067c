"""Checks before a start: run directory, installed servers, ports."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from local import directory as run_directory
from local import ports, supervisor
from local.database import mariadb, mysql
from local.database import server as database_server
from local.directory import LOCK, RunDirectory
from local.emulator import ministack
from local.errors import AlreadyRunningError, LocalError

# The run directory


def test_a_new_directory_is_private_and_removed_on_release(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "a" / "run")
    assert not directory.hold()
    assert directory.path.stat().st_mode & 0o777 == 0o700
    directory.release(keep_logs=False)
    assert not directory.path.exists()


def test_an_empty_directory_that_others_can_read_becomes_private(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    directory = RunDirectory(tmp_path)
    directory.hold()
    assert tmp_path.stat().st_mode & 0o777 == 0o700
    directory.release(keep_logs=False)


def test_logs_can_be_kept_until_the_next_run(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    directory.hold()
    (directory.logs / "mariadb.log").write_text("why")
    (directory.path / "database").mkdir()
    directory.release(keep_logs=True)
    assert (directory.logs / "mariadb.log").exists()
    assert not (directory.path / "database").exists()
    assert not directory.hold()
    assert list(directory.logs.iterdir()) == []
    directory.release(keep_logs=False)


def test_files_of_a_crashed_run_are_removed(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    (tmp_path / LOCK).touch()
    (tmp_path / "database").mkdir()
    assert directory.hold()
    assert not (tmp_path / "database").exists()
    directory.release(keep_logs=False)


def test_a_directory_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    with pytest.raises(LocalError, match="files that local mode did not create; choose an empty --directory"):
        RunDirectory(tmp_path).hold()
    assert (tmp_path / "logs").exists()


def test_other_files_in_the_run_directory_are_kept(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    directory.hold()
    (directory.path / "notes.txt").write_text("mine")
    directory.release(keep_logs=False)
    assert [path.name for path in directory.path.iterdir()] == ["notes.txt"]


def test_a_path_that_cannot_be_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LocalError, match="cannot be used: Not a directory"):
        RunDirectory(tmp_path / "file" / "run").hold()


@pytest.mark.parametrize("path", ["/proc/x", "/proc/x/y", "/proc/self/x"])
def test_a_path_where_nothing_can_be_created_is_refused_at_once(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_directory, "CLEAN_UP_TIMEOUT", 0.0)
    with pytest.raises(
        LocalError, match=f"directory {path} cannot be used: No such file or directory; choose"
    ):
        RunDirectory(Path(path)).hold()


def test_a_held_directory_is_refused_and_has_its_holders_process_id(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    assert directory.holder() is None
    directory.hold()
    assert RunDirectory(directory.path).holder() == os.getpid()
    with pytest.raises(AlreadyRunningError, match=r"runs in .* already"):
        RunDirectory(directory.path).hold()
    directory.release(keep_logs=False)


def test_a_lock_on_a_removed_file_is_ignored(tmp_path: Path) -> None:
    with (tmp_path / LOCK).open("w") as removed:
        fcntl.flock(removed, fcntl.LOCK_EX)
        (tmp_path / LOCK).unlink()
        directory = RunDirectory(tmp_path)
        assert not directory.hold()
        directory.release(keep_logs=False)


# Installed servers


def test_a_missing_mariadb_is_reported_with_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(database_server, "_PROGRAM_DIRECTORIES", ())
    with pytest.raises(
        LocalError, match=r"`scripts/setup database`.*apt-get install mariadb-server-core.*brew install"
    ):
        mariadb.find()


def test_a_mariadb_without_its_sql_files_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    server = tmp_path / "mariadbd"
    server.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(mariadb, "_SYSTEM_TABLES", (("no_such_file.sql",),))
    with pytest.raises(LocalError, match="is installed without its SQL files"):
        mariadb.find()


def test_a_missing_mysql_is_reported_with_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(database_server, "_PROGRAM_DIRECTORIES", ())
    monkeypatch.setattr(mysql, "_HOMEBREW", ())
    with pytest.raises(LocalError, match=r"apt-get install mysql-server-core.*leave out --database-server"):
        mysql.find()


def write_server(directory: Path, script: str) -> Path:
    """Write a script `mysqld`."""
    directory.mkdir()
    program = directory / "mysqld"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("script", "options"),
    [("exit 0", ["--no-defaults"]), ('[ "$1" != --no-defaults ]', [])],
    ids=["a server", "a wrapper that keeps option files out itself"],
)
def test_mysql_is_found_behind_a_mysqld_of_mariadb(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, options: list[str]
) -> None:
    mariadb_program = write_server(tmp_path / "first", "exit 1")  # as for any unknown option
    program = write_server(tmp_path / "second", script)
    monkeypatch.setenv("PATH", f"{mariadb_program.parent}:{program.parent}:/bin:/usr/bin")
    assert mysql.find().program == [str(program), *options]


def test_a_missing_ministack_is_reported_with_how_to_install_it(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="`scripts/setup ministack`"):
        ministack.command(tmp_path)


def test_ministack_does_not_inherit_the_developers_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    environment = ministack.environment(tmp_path, 4600, "us-east-1")
    assert "AWS_PROFILE" not in environment
    assert "PYTHONPATH" not in environment
    assert environment["AUTH"] == "true"
    assert environment["BIND_HOST"] == "127.0.0.1"
    assert Path(environment["TMPDIR"]).parent == tmp_path


def test_the_program_does_not_inherit_the_developers_aws_account(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("PULUMI_CONFIG", "{}")
    environment = supervisor.program_environment(tmp_path)
    assert environment["HOME"] == str(tmp_path)
    assert "AWS_PROFILE" not in environment
    assert "PULUMI_CONFIG" not in environment
    assert environment["AWS_CONFIG_FILE"] == os.devnull


# Ports and logs


def test_a_chosen_port_is_free() -> None:
    with socket.create_server(("127.0.0.1", ports.choose(0, "--port"))):
        pass


def test_a_port_in_use_is_refused_with_the_option_for_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LocalError, match=f"Port {port} is in use; choose another with --database-port"):
            ports.choose(port, "--database-port")


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        ("", "its log is empty"),
        ("started\nlast words\n\n", "last words"),
        (
            "[ERROR] Can't start server: Bind on TCP/IP port\nbye\n[ERROR] Aborting\n",
            "[ERROR] Can't start server: Bind on TCP/IP port",
        ),
    ],
)
def test_a_log_is_summarized_by_its_last_error(tmp_path: Path, log: str, sentence: str) -> None:
    path = tmp_path / "service.log"
    path.write_text(log)
    assert supervisor.summary(path) == sentence


def test_the_watchdog_needs_no_virtual_environment() -> None:
    code = "import sys, local.watchdog; sys.exit('site' in sys.modules or 'rich' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-S", "-c", code], cwd=root, check=False).returncode == 0
