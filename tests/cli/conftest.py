"""Fixtures: a fake stack, and the command on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from moto import mock_aws
from typer.testing import CliRunner, Result

from cli import aws as clients
from cli import queues
from cli.main import app
from cli.stack import Stack
from tests.cli.dead_letters import OWN_ID, record
from tests.cli.stand_in import REGION, FakeApi, FakeAws, FakeFunctions, administrator


class Cafe(Protocol):
    """Runs `cafe` with arguments."""

    def __call__(self, *words: str) -> Result: ...


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """An API that accepts orders."""
    with FakeApi() as running:
        yield running


@pytest.fixture
def local_stack(api: FakeApi, tmp_path: Path) -> Path:
    """The run directory of a local stack."""
    directory = tmp_path / "local"
    directory.mkdir()
    document = {
        "outputs": api.outputs(),
        "endpoint": f"http://127.0.0.1:{api.port}",
        "region": REGION,
        "database": {
            "host": "127.0.0.1",
            "port": 3306,
            "user": "u",
            "password": "p",
            "name": "cafe_db",
            "ca": "/run/ca.pem",
            "something": "that a later version adds",
        },
    }
    (directory / "stack.json").write_text(json.dumps(document))
    return directory


@pytest.fixture
def cafe(local_stack: Path, monkeypatch: pytest.MonkeyPatch) -> Cafe:
    """The command, on the fake local stack."""
    monkeypatch.setenv("CAFE_LOCAL_DIRECTORY", str(local_stack))
    monkeypatch.delenv("CAFE_DEBUG", raising=False)
    runner = CliRunner()

    def run(*words: str) -> Result:
        return runner.invoke(app, list(words))

    return run


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Invalid AWS credentials."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


@pytest.fixture
def aws(api: FakeApi, credentials: None) -> Iterator[FakeAws]:
    """The rest of a stack on AWS, whose worker records an order before the API responds."""
    with mock_aws():
        yield FakeAws(api)


@pytest.fixture
def dev(aws: FakeAws, pulumi: Pulumi, monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    """The stack `dev` with its outputs in Pulumi, without long polling."""
    monkeypatch.setattr(queues, "LONG_POLL", 0)
    pulumi.prints(json.dumps(aws.outputs()))
    return aws


@pytest.fixture
def quick_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that are shared by all tests: making them takes longer than most commands."""

    def shared(stack: Stack) -> clients.Clients:
        found = administrator()
        found.stack = stack
        return found

    monkeypatch.setattr(clients, "Clients", shared)


@pytest.fixture
def functions(dev: FakeAws, quick_clients: None, monkeypatch: pytest.MonkeyPatch) -> FakeFunctions:
    """The functions of the stack `dev`."""
    found = FakeFunctions()
    monkeypatch.setattr(administrator(), "functions", found)
    return found


class Pulumi:
    """A fake Pulumi CLI that prints a prepared output."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def prints(self, output: str = "", error: str = "", exit_code: int = 0) -> None:
        """Install the program."""
        (self._directory / "output").write_text(output)
        (self._directory / "error").write_text(error)
        program = self._directory / "pulumi"
        program.write_text(
            '#!/bin/sh\nhere=$(dirname "$0")\necho "$@" > "$here/words"\n'
            f'cat "$here/output"\ncat "$here/error" >&2\nexit {exit_code}\n'
        )
        program.chmod(0o755)

    @property
    def words(self) -> list[str]:
        """The arguments of the last call."""
        return (self._directory / "words").read_text().split()


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pulumi:
    """A fake Pulumi CLI on the path, which a test installs by `prints`."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")
    return Pulumi(directory)


@pytest.fixture
def dlq(cafe: Cafe, dev: FakeAws, quick_clients: None) -> Cafe:
    """The command `cafe dlq` on the stack `dev`."""
    return lambda *words: cafe("dlq", *words, "--stack", "dev")


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The script of an editor that runs `sed` on the file."""
    script = tmp_path / "sed"
    script.write_text("s/x/x/")
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("PATH", "/usr/bin:/bin", prepend=":")
    monkeypatch.setenv("EDITOR", f"/bin/sed -i -f '{script}'")
    return script


@pytest.fixture
def conflicting(dev: FakeAws) -> str:
    """The id of a message whose order has the id of another recorded order."""
    record(dev, "O-7", "Latte", 2)
    return dev.put(OWN_ID)


@pytest.fixture
def dev_cafe(cafe: Cafe, functions: FakeFunctions) -> Cafe:
    """The command on the stack `dev`."""
    return lambda *words: cafe(*words, "--stack", "dev")
