"""The output of `make diff`."""

from __future__ import annotations

import copy
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra import program_diff, recording

QUEUE = {
    "urn": "urn:pulumi:dev::cafe::aws:sqs/queue:Queue::OrderQueue",
    "type": "aws:sqs/queue:Queue",
    "name": "OrderQueue",
    "protect": True,
    "secret_inputs": [],
    "inputs": {"delaySeconds": 0, "policy": '{"Statement": [{"Action": ["sqs:SendMessage"]}]}'},
}
ROLE = {
    "urn": "urn:pulumi:dev::cafe::aws:iam/role:Role::Worker",
    "type": "aws:iam/role:Role",
    "name": "Worker",
    "protect": False,
    "secret_inputs": ["password"],
    "inputs": {"password": "k3y"},
}


def program(*resources: dict[str, Any], outputs: tuple[str, ...] = ()) -> dict[str, Any]:
    return copy.deepcopy({"resources": list(resources), "outputs": dict.fromkeys(outputs, "…")})


def lines(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return list(program_diff.resource_differences("dev", before, after))


def test_the_same_program_has_no_difference() -> None:
    assert lines(program(QUEUE, ROLE), program(ROLE, QUEUE)) == ["dev: 0 added, 0 deleted, 0 changed"]


def test_a_deleted_resource_with_data_is_marked() -> None:
    assert lines(program(QUEUE), program(ROLE, outputs=("queue_url",))) == [
        "dev: 1 added, 1 deleted, 0 changed",
        "- aws:sqs/queue:Queue OrderQueue  (holds data or has a public address)",
        "+ aws:iam/role:Role Worker",
        "+ output queue_url",
    ]


def test_changed_inputs_and_options_are_shown_by_path() -> None:
    after = program(QUEUE)
    (queue,) = after["resources"]
    queue["protect"] = False
    queue["inputs"] = {"delaySeconds": 5, "policy": '{"Statement": [{"Action": ["sqs:*"]}]}'}

    assert lines(program(QUEUE), after)[2:] == [
        "    (protect): true -> false",
        "    delaySeconds: 0 -> 5",
        '    policy.Statement[0].Action[0]: "sqs:SendMessage" -> "sqs:*"',
    ]


def test_an_option_that_an_earlier_commit_does_not_record_is_not_compared() -> None:
    before = program(QUEUE)
    del before["resources"][0]["protect"]

    assert lines(before, program(QUEUE)) == ["dev: 0 added, 0 deleted, 0 changed"]


def test_a_secret_is_never_shown() -> None:
    after = program(ROLE)
    after["resources"][0]["secret_inputs"] = []

    assert '    password: "[secret]" -> "k3y"' in lines(program(ROLE), after)
    after["resources"][0]["secret_inputs"] = ["password"]
    after["resources"][0]["inputs"]["password"] = "other"
    assert lines(program(ROLE), after) == ["dev: 0 added, 0 deleted, 0 changed"]


def test_many_changes_of_one_resource_and_long_values_are_cut() -> None:
    after = program(QUEUE)
    after["resources"][0]["inputs"] |= {f"key{number:02}": "x" * 1_000 for number in range(30)}

    found = lines(program(QUEUE), after)

    assert found[-1] == "    … and 10 more"
    assert max(map(len, found)) < 200


def test_a_changed_file_is_shown_by_its_abbreviated_hash() -> None:
    before, after = program(QUEUE), program(QUEUE)
    for each, digit in ((before, "a"), (after, "b")):
        each["resources"][0]["inputs"] = {"code": {"orders/ledger.py": digit * 64}}

    assert lines(before, after)[-1] == "    code.orders/ledger.py: aaaaaaaa -> bbbbbbbb"


def test_the_base_commit_is_extracted(tmp_path: Path) -> None:
    program_diff.check_out("HEAD", tmp_path)
    assert (tmp_path / "__main__.py").is_file()
    with pytest.raises(subprocess.CalledProcessError):
        program_diff.check_out("--output=elsewhere", tmp_path)


def test_a_stack_with_an_encrypted_setting_is_not_compared_and_the_others_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    function = {**ROLE, "type": "aws:lambda/function:Function", "inputs": {"memorySize": 512}}

    def record(stack: str, root: Path = recording.ROOT) -> dict[str, Any]:
        if stack == "dev":
            reason = "Pulumi.dev.yaml: only Pulumi can decrypt the setting cafe:timeZone.\n"
            raise subprocess.CalledProcessError(recording.ENCRYPTED, "python", stderr=reason)
        return program(function)

    monkeypatch.setattr(program_diff, "record_separately", record)

    assert program_diff.main(["HEAD"]) == 0

    dev, prod = capsys.readouterr().out.strip().split("\n\n")
    assert dev.splitlines() == [
        "dev: not known. Pulumi.dev.yaml: only Pulumi can decrypt the setting cafe:timeZone.",
        "Monthly cost: not known",
    ]
    assert re.fullmatch(
        "prod: 0 added, 0 deleted, 0 changed\n"
        "Monthly cost: .* dollars, unchanged, at 500 orders a day and 1 open page",
        prod,
    )


def test_an_unknown_commit_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert program_diff.main(["no-such-commit"]) == 2
    assert "Cannot read commit 'no-such-commit'" in capsys.readouterr().err
