"""Reading a stack's outputs, and errors if that fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from cli import stack
from cli.errors import SetUpError
from tests.cli.conftest import Cafe, Pulumi
from tests.cli.stand_in import REGION, FakeApi, FakeAws


def test_the_local_stack_is_read_from_its_file(local_stack: Path, api: FakeApi) -> None:
    found = stack.load("local", local_stack)

    assert found.output("orders_url") == api.outputs()["orders_url"]
    assert found.endpoint == f"http://127.0.0.1:{api.port}"
    assert found.database is not None
    assert found.database.port == 3306


def test_the_database_password_is_not_shown_by_accident(local_stack: Path) -> None:
    document = json.loads((local_stack / "stack.json").read_text())
    document["database"]["password"] = "hidden-word"
    (local_stack / "stack.json").write_text(json.dumps(document))

    assert "hidden-word" not in repr(stack.load("local", local_stack))


@pytest.mark.parametrize("ca", ["/srv/Café ☕/ca.pem", os.fsdecode(b"/srv/caf\xe9/ca.pem")])
def test_the_path_of_the_certificate_is_found_in_any_locale(local_stack: Path, ca: str) -> None:
    document = json.loads((local_stack / "stack.json").read_text())
    document["database"]["ca"] = ca
    (local_stack / "stack.json").write_text(json.dumps(document))
    words = "import os, sys; from pathlib import Path; from cli import stack; "
    words += "sys.stdout.buffer.write(os.fsencode(stack.load('local', Path(sys.argv[1])).database.ca))"

    found = subprocess.run(
        [sys.executable, "-c", words, local_stack],
        cwd=stack.REPOSITORY,
        env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        check=False,
    )

    assert (found.stdout, found.stderr) == (os.fsencode(ca), b"")


def test_no_local_stack_names_the_command_that_starts_one(tmp_path: Path) -> None:
    with pytest.raises(SetUpError, match=r"No local stack is running .*: start one with `make local`\."):
        stack.load("local", tmp_path)


def test_a_file_left_by_a_killed_stack_is_detected(local_stack: Path) -> None:
    document = json.loads((local_stack / "stack.json").read_text())
    document["endpoint"] = "http://127.0.0.1:9"
    (local_stack / "stack.json").write_text(json.dumps(document))

    with pytest.raises(SetUpError, match=r"has ended .*`make local`"):
        stack.load("local", local_stack)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"outputs": 1}', "\x00", '{"outputs": {}, "database": 3}'])
def test_a_damaged_file_names_the_commands_that_restart_the_stack(text: str, tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text(text)

    with pytest.raises(SetUpError, match=r"stack\.json is invalid: stop it with"):
        stack.load("local", tmp_path)


def test_a_file_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    (tmp_path / "stack.json").mkdir()

    with pytest.raises(SetUpError, match="cannot be read"):
        stack.load("local", tmp_path)


def test_a_missing_output_names_itself_and_the_command_that_makes_it(
    local_stack: Path, pulumi: Pulumi
) -> None:
    with pytest.raises(SetUpError, match=r"Stack local has no output queue_url: stop it with .*`make local`"):
        stack.load("local", local_stack).output("queue_url")

    pulumi.prints(json.dumps({"topic_arn": f"arn:aws:sns:{REGION}:1:T"}))
    with pytest.raises(SetUpError, match=r"Stack dev has no output queue_url: .*`make deploy STACK=dev`"):
        stack.load("dev").output("queue_url")


def test_outputs_are_read_by_pulumi_and_the_region_is_the_topics(pulumi: Pulumi, api: FakeApi) -> None:
    pulumi.prints(json.dumps(api.outputs()))

    found = stack.load("dev")

    assert " ".join(pulumi.words) == "stack output --json --show-secrets --non-interactive --stack dev"
    assert found.region == REGION
    assert found.endpoint is None
    assert found.database is None
    assert found.output("orders_url") == api.outputs()["orders_url"]


@pytest.mark.parametrize("name", ["", " ", "\n"])
def test_an_empty_name_is_not_the_stack_that_pulumi_has_selected(
    pulumi: Pulumi, api: FakeApi, name: str
) -> None:
    pulumi.prints(json.dumps(api.outputs()))

    with pytest.raises(SetUpError, match="name of the stack is empty"):
        stack.load(name)


def test_a_stack_without_outputs_names_the_deploy_command(pulumi: Pulumi) -> None:
    pulumi.prints("{}")

    with pytest.raises(SetUpError, match=r"deploy it with `make deploy STACK=dev`"):
        stack.load("dev")


def test_a_missing_pulumi_names_its_installation_page(pulumi: Pulumi) -> None:
    with pytest.raises(SetUpError, match=r"not installed: https://www\.pulumi\.com/docs/install/"):
        stack.load("dev")


def test_an_unknown_stack_is_reported(pulumi: Pulumi) -> None:
    pulumi.prints(error="error: no stack named 'stage' found\n", exit_code=255)

    with pytest.raises(
        SetUpError, match=r"Stack stage does not exist: `pulumi stack ls`.*`make deploy STACK=stage`"
    ):
        stack.load("stage")


def test_pulumis_error_is_reported(pulumi: Pulumi) -> None:
    pulumi.prints(error="Something\nerror: PULUMI_ACCESS_TOKEN must be set\nUsage: ...\n", exit_code=255)

    with pytest.raises(SetUpError, match=r"^Pulumi cannot read stack dev: PULUMI_ACCESS_TOKEN must be set$"):
        stack.load("dev")


def test_a_pulumi_that_prints_no_json_is_an_error(pulumi: Pulumi) -> None:
    pulumi.prints("Please choose a stack")

    with pytest.raises(SetUpError, match="did not print JSON"):
        stack.load("dev")


@pytest.mark.parametrize("command", [["order", "Latte"], ["status"], ["verify"]])
def test_every_command_ends_with_2_and_one_sentence_without_a_stack(
    cafe: Cafe, command: list[str], tmp_path: Path
) -> None:
    result = cafe(*command, "--directory", str(tmp_path / "nowhere"))

    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "`make local`" in result.stderr


@pytest.mark.parametrize(
    "words", [("show",), ("edit", "--order-id", "O-9"), ("purge", "--conflicting", "--id")]
)
def test_a_command_reads_the_stacks_outputs_once(
    dlq: Cafe, dev: FakeAws, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    message_id = dev.put('{"item": "Tea", "quantity": 0}')
    load = Mock(side_effect=stack.load)
    monkeypatch.setattr(stack, "load", load)

    dlq(*words, message_id)

    load.assert_called_once_with("dev", Path(os.environ["CAFE_LOCAL_DIRECTORY"]))


@pytest.mark.parametrize("command", [["order", "Latte"], ["status"], ["verify"]])
def test_an_error_is_one_json_document(cafe: Cafe, command: list[str], tmp_path: Path) -> None:
    result = cafe(*command, "--json", "--directory", str(tmp_path))

    assert result.exit_code == 2
    assert "No local stack is running" in json.loads(result.stdout)["error"]
