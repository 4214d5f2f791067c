"""Checks before a deploy, with prepared responses of an account."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli import account_checks, preflight
from infra import setting_changes
from infra.recording import configuration
from tests.program.setting_values import CHANGED, parse

SNAPSHOT = {
    "Status": "available",
    "Engine": "mysql",
    "EngineVersion": "8.4.5",
    "Encrypted": True,
    "MasterUsername": "cafe_admin",
    "AllocatedStorage": 20,
}
OUTPUTS = {
    "topic_arn": "arn:aws:sns:us-east-1:123456789012:OrderTopic",
    "database_identifier": "cafe-db-dev-1234567",
    "deployed_settings": setting_changes.deployed(parse(deletionProtection="false")),
}


def refuse(code: str) -> Callable[..., Any]:
    def call(**_: object) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "Operation")

    return call


class Account:
    """An account that accepts every deploy, unless a test changes a response."""

    def __init__(self) -> None:
        self.concurrency = 1000
        self.allocated = 20
        self.log_role: dict[str, str] = {"cloudwatchRoleArn": "arn"}
        self.versions = ["8.0.42", "8.4.5"]
        self.snapshot: dict[str, Any] = dict(SNAPSHOT)
        self.certificate: dict[str, Any] = {"Status": "ISSUED", "DomainName": "cafe.example.com"}
        self.describe_certificate: Callable[..., Any] = lambda **_: {"Certificate": self.certificate}
        self.records: list[dict[str, str]] = []
        self.describe_db_snapshots: Callable[..., Any] = lambda **_: {"DBSnapshots": [self.snapshot]}

    def __call__(self, service: str, region_name: str | None = None) -> Any:
        assert region_name == ("us-east-1" if service == "acm" else None)
        return self

    def list_resource_record_sets(self, **_: object) -> Any:
        return {"ResourceRecordSets": self.records}

    def get_account_settings(self) -> Any:
        return {"AccountLimit": {"ConcurrentExecutions": self.concurrency}}

    def get_account(self) -> Any:
        return self.log_role

    def describe_db_instances(self, DBInstanceIdentifier: str) -> Any:  # noqa: N803
        assert DBInstanceIdentifier == OUTPUTS["database_identifier"]
        return {"DBInstances": [{"AllocatedStorage": self.allocated}]}

    def get_paginator(self, operation: str) -> Any:
        assert operation == "describe_orderable_db_instance_options"
        return self

    def paginate(self, **_: object) -> Any:
        return [{"OrderableDBInstanceOptions": [{"EngineVersion": version}]} for version in self.versions]


@pytest.fixture
def aws() -> Account:
    return Account()


def found(
    aws: account_checks.Client | None, outputs: dict[str, str] = OUTPUTS, **changed: str
) -> list[account_checks.Finding]:
    ours = {f"{preflight.project()}:{key}": value for key, value in changed.items()}
    return preflight.findings("dev", {**configuration("dev"), **ours}, outputs, aws)


def refusals(*arguments: Any, **changed: Any) -> list[str]:
    findings = found(*arguments, **changed)
    assert all(finding.refuses for finding in findings)
    return [finding.sentence for finding in findings]


@pytest.mark.parametrize("outputs", [{}, OUTPUTS, {"topic_arn": OUTPUTS["topic_arn"]}])
def test_a_deploy_that_changes_nothing_is_accepted(aws: Account, outputs: dict[str, str]) -> None:
    assert found(aws, outputs) == []


def test_less_storage_is_refused_without_calling_aws(aws: Account) -> None:
    outputs = {**OUTPUTS, "deployed_settings": json.dumps({"databaseStorage": 50})}
    assert refusals(aws, outputs, databaseStorage="40") == [
        "databaseStorage: cannot shrink; set it to at least 50."
    ]


def test_storage_that_grew_by_itself_is_a_lower_limit_for_a_change_only(aws: Account) -> None:
    aws.allocated = 42
    assert refusals(aws, databaseStorage="41") == [
        "databaseStorage: the database has grown to 42 automatically, and cannot shrink: "
        "set it to at least that."
    ]
    assert found(aws, databaseStorage="42") == found(aws) == []


@pytest.mark.parametrize("outputs", [{}, OUTPUTS])
@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("Status", "creating", "databaseSnapshot: it is creating, not available."),
        ("Engine", "mariadb", "databaseSnapshot: it is of mariadb 8.4.5, not of MySQL 8.4."),
        ("EngineVersion", "8.0.42", "databaseSnapshot: it is of mysql 8.0.42, not of MySQL 8.4."),
        ("Encrypted", False, "databaseSnapshot: it is not encrypted: copy it with encryption."),
        ("MasterUsername", "root", "databaseSnapshot: its master user is root, not cafe_admin."),
        ("AllocatedStorage", 21, "databaseStorage: the snapshot has 21: set it to at least that."),
    ],
)
def test_an_unusable_snapshot_is_refused(
    aws: Account, outputs: dict[str, str], key: str, value: object, sentence: str
) -> None:
    assert found(aws, outputs, databaseSnapshot="cafe") == []
    aws.snapshot[key] = value
    assert refusals(aws, outputs, databaseSnapshot="cafe") == [sentence]


def test_a_snapshot_that_does_not_exist_is_refused(aws: Account) -> None:
    aws.describe_db_snapshots = refuse("DBSnapshotNotFound")
    assert refusals(aws, databaseSnapshot="cafe") == [
        "databaseSnapshot: snapshot cafe does not exist in this account and region."
    ]


def test_the_snapshot_of_an_existing_database_may_be_deleted(aws: Account) -> None:
    aws.describe_db_snapshots = refuse("DBSnapshotNotFound")
    outputs = {**OUTPUTS, "deployed_settings": json.dumps({"databaseSnapshot": "cafe"})}
    assert found(aws, outputs, databaseSnapshot="cafe") == []


def test_an_instance_class_that_the_region_lacks_is_refused(aws: Account) -> None:
    aws.versions = ["8.0.42"]
    sentence = "databaseInstanceClass: this region has no db.m7g.large for MySQL 8.4."
    assert refusals(aws, databaseInstanceClass="db.m7g.large") == [sentence]
    assert found(aws) == []


def test_a_missing_log_role_of_api_gateway_is_refused(aws: Account) -> None:
    aws.log_role = {}
    assert "no stack of this account" in refusals(aws, manageApiGatewayAccount="false")[0]
    assert found(aws, manageApiGatewayAccount="true") == []


DOMAIN = {key: CHANGED[key] for key in ("domain", "certificateArn")}


@pytest.mark.parametrize(
    ("names", "covered"),
    [
        (["cafe.example.com"], True),
        (["*.Example.com", "example.com"], True),
        (["example.com"], False),
        (["*.com"], False),
        (["*.cafe.example.com"], False),
    ],
)
def test_a_certificate_has_to_cover_the_domain(aws: Account, names: list[str], covered: bool) -> None:
    aws.certificate |= {"DomainName": names[0], "SubjectAlternativeNames": names}
    wrong = f"certificateArn: the certificate is for {', '.join(names)}, not for cafe.example.com."
    assert refusals(aws, **DOMAIN) == ([] if covered else [wrong])


def test_a_certificate_has_to_be_issued_and_to_exist(aws: Account) -> None:
    aws.certificate["Status"] = "EXPIRED"
    assert refusals(aws, **DOMAIN) == [
        "certificateArn: the certificate is EXPIRED, not ISSUED: see docs/runbook.md, The domain does not"
        " work."
    ]
    aws.describe_certificate = refuse("ResourceNotFoundException")
    assert "does not exist in this account, in us-east-1" in refusals(aws, **DOMAIN)[0]


@pytest.mark.parametrize(
    ("name", "kind", "blocking"),
    [
        ("cafe.example.com.", "CNAME", True),
        ("cafe.example.com.", "AAAA", True),
        ("cafe.example.com.", "TXT", False),
        ("shop.example.com.", "A", False),
    ],
)
def test_a_record_that_a_deploy_would_not_overwrite_is_a_warning(
    aws: Account, name: str, kind: str, blocking: bool
) -> None:
    """An interrupted deploy may have created it."""
    aws.records = [{"Name": name, "Type": kind}]
    domain = {key: CHANGED[key] for key in ("domain", "hostedZone")}
    assert [finding.refuses for finding in found(aws, OUTPUTS, **domain)] == [False] * blocking
    served = {**OUTPUTS, "page_url": "https://cafe.example.com/order-status"}
    assert found(aws, served, **domain) == []


@pytest.mark.parametrize(("limit", "workers", "warned"), [(10, 5, True), (24, 5, True), (25, 5, False)])
def test_a_new_accounts_concurrency_is_a_warning(
    aws: Account, limit: int, workers: int, warned: bool
) -> None:
    """Workers and a busy page throttle each other, but a deploy succeeds."""
    aws.concurrency = limit
    sentences = [(f.refuses, f"at most {limit} functions" in f.sentence) for f in found(aws)]
    assert sentences == [(False, True)] * warned


def test_a_denied_check_is_a_warning_and_the_others_are_made(aws: Account) -> None:
    aws.describe_db_snapshots = refuse("AccessDenied")
    aws.log_role = {}
    warning, refusal = found(aws, databaseSnapshot="cafe", manageApiGatewayAccount="false")
    assert (warning.refuses, refusal.refuses) == (False, True)
    assert "snapshot was not checked" in warning.sentence
    assert "AccessDenied" in warning.sentence


def test_without_credentials_only_the_stacks_outputs_are_compared() -> None:
    refusal, warning = found(
        None, {**OUTPUTS, "deployed_settings": '{"databaseStorage": 50}'}, databaseStorage="40"
    )
    assert (refusal.refuses, warning.refuses) == (True, False)
    assert "Pulumi may find its own (aws:profile, Pulumi ESC)" in warning.sentence


def test_a_stack_does_not_move_to_another_region(aws: Account) -> None:
    elsewhere = {**configuration("dev"), "aws:region": "eu-central-1"}
    (finding,) = preflight.findings("dev", elsewhere, OUTPUTS, aws)
    assert finding.refuses
    assert finding.sentence.startswith("aws:region: the stack is in us-east-1, and cannot move")
    assert preflight.findings("dev", elsewhere, {}, aws) == []


def test_wrong_settings_are_left_to_the_program(aws: Account) -> None:
    assert found(aws, batchSize="many") == []


@pytest.mark.parametrize(
    "options",
    [
        ["--yes", "-c", "apiStage=v2=", "--config", "aws:region=eu-west-1"],
        ["--config=apiStage=v2=", "--diff", "--config=aws:region=eu-west-1"],
    ],
)
def test_settings_among_the_options_are_those_of_the_deploy(options: list[str]) -> None:
    assert preflight.chosen(options) == {f"{preflight.project()}:apiStage": "v2=", "aws:region": "eu-west-1"}


@pytest.mark.parametrize("options", [["-c"], ["--yes", "--config"], ["-c", "--diff"]])
def test_an_option_without_its_value_is_left_to_pulumi(options: list[str]) -> None:
    assert preflight.chosen(options) == {}


@pytest.mark.parametrize("key", ["aws:assumeRole", "aws:accessKey"])
def test_credentials_in_pulumis_settings_prevent_the_checks(key: str) -> None:
    assert account_checks.clients({key: "something", "aws:region": "us-east-1"}, {}) is None


def test_a_profile_that_only_pulumi_knows_is_not_an_error() -> None:
    assert account_checks.clients({"aws:profile": "no-such-profile", "aws:region": "us-east-1"}, {}) is None


def pulumi(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "pulumi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_a_refused_deploy_ends_with_exit_code_2_and_names_each_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], aws: Account
) -> None:
    entries = {key: {"value": value, "secret": False} for key, value in configuration("dev").items()}
    (tmp_path / "config.json").write_text(json.dumps(entries))
    outputs = {**OUTPUTS, "deployed_settings": json.dumps({"databaseStorage": 50})}
    (tmp_path / "output.json").write_text(json.dumps(outputs))
    pulumi(
        tmp_path,
        f'if [ "$2" = config ]; then n=config; else n=output; fi; /bin/cat {tmp_path}/$n.json',
        monkeypatch,
    )
    monkeypatch.setattr(account_checks, "clients", lambda *_: aws)
    aws.concurrency = 10

    assert preflight.main(["dev"]) == 2
    printed = capsys.readouterr().err
    assert "Warning: Lambda runs at most 10" in printed
    assert "This cannot be deployed:\n  databaseStorage: cannot shrink" in printed
    assert preflight.main(["dev", "-c", "databaseStorage=60"]) == 0


def test_a_state_that_cannot_be_read_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pulumi(tmp_path, "exit 255", monkeypatch)
    assert preflight.main(["dev"]) == 0
    assert capsys.readouterr().err.startswith("Warning: the deploy was not checked")
