"""`cafe restore`: its steps, and how it continues after an interruption of any of them."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli import account_checks, preflight, stack
from cli.doctor.context import State
from cli.errors import OperationError
from cli.restore import backups, deploys, lost, steps
from cli.restore.deploys import Deploys
from cli.restore.record import Record, Records
from cli.schedule import Schedule
from tests.cli.conftest import Cafe, Pulumi
from tests.cli.fake_rds import RUNNING, FakeRds
from tests.cli.stand_in import FakeAws, FakeFunctions, administrator

TO = "2026-11-22T14:00:00Z"
AS_OF = "cafe-db-dev-to-20261122t140000"
OFF, NEW, ON = (
    {"deletionProtection": "false"},
    {"databaseSnapshot": AS_OF},
    {"deletionProtection": "true"},
)


class Shop:
    """A fake stack on AWS whose database is restored.

    Attributes
    ----------
    rows
        Versions of the orders' states in the database, by id.
    deploys
        The settings of each deploy, and whether orders waited meanwhile.
    during
        Called in each deploy.
    refuses
        Ids of orders that the worker does not record.
    settings, put_back
        The settings in the stack's file, and those that were reset to the deployed values.
    """

    def __init__(self, aws: FakeAws, functions: FakeFunctions, pulumi: Pulumi) -> None:
        self.aws, self.functions, self._pulumi = aws, functions, pulumi
        self.rows: dict[str, int] = {"o1": 1, "o2": 1}
        self.deploys: list[tuple[dict[str, str], bool]] = []
        self.during: Callable[[int], None] = lambda _number: None
        self.refuses: set[str] = set()
        self.settings = {
            "databaseInstanceClass": "db.t4g.micro",
            "databaseSnapshot": "",
            "databaseStorage": "20",
            "deletionProtection": "true",
        }
        self.put_back: list[str] = []
        functions.usual = self._ask

    def put(self, order_id: str, version: int, **fields: str) -> None:
        """Put an order into DynamoDB."""
        item: dict[str, Any] = {"orderId": {"S": order_id}, "state_version": {"N": str(version)}}
        texts = {"item": "Tea", "created_at": "2026-11-22T15:00:00.000+00:00"} | fields
        item |= {name: {"S": text} for name, text in texts.items() if text}
        self.aws.dynamodb.put_item(TableName="Orders-dev", Item=item | {"quantity": {"N": "2"}})

    def deploy(self, deploys: Deploys, changed: dict[str, str]) -> None:
        """Deploy as Pulumi does, and record whether orders wait."""
        self.during(len(self.deploys))
        is_paused = self.functions.state == "Disabled" and not any(self.rules.values())
        self.deploys.append((dict(changed), is_paused))
        self.aws.deployed |= {
            key: json.loads(value) if value in {"true", "false"} else value for key, value in changed.items()
        }
        outputs = self.aws.outputs()
        self._pulumi.prints(json.dumps(outputs))
        object.__setattr__(deploys.stack, "outputs", outputs)

    @property
    def rules(self) -> dict[str, bool]:
        found = self.aws.events.list_rules()["Rules"]
        return {rule["Name"]: rule["State"] == "ENABLED" for rule in found}

    @property
    def is_running(self) -> bool:
        """Return whether the worker and the schedule are on, and no restore is under way."""
        item = self.aws.dynamodb.get_item(TableName="CafeOrderMetrics-dev", Key={"metric": {"S": "RESTORE"}})
        return self.functions.state.startswith("Enabl") and all(self.rules.values()) and "Item" not in item

    def _ask(self, event: dict[str, Any]) -> dict[str, Any]:
        if event.get("command") != "behind":
            return {"rds_orders": len(self.rows)}
        self._work()
        versions = event["versions"]
        return {
            "missing": [each for each in versions if each not in self.rows],
            "older": [each for each in versions if self.rows.get(each, versions[each]) < versions[each]],
        }

    def _work(self) -> None:
        """Record the orders in the queue, with the states that DynamoDB has."""
        for body in self.aws.bodies(self.aws.queue_url):
            message = json.loads(body)
            order_id = json.loads(message.get("Message", body))["orderId"]
            if order_id not in self.refuses:
                found = self.aws.dynamodb.get_item(TableName="Orders-dev", Key={"orderId": {"S": order_id}})
                self.rows[order_id] = int(found["Item"]["state_version"]["N"])


@pytest.fixture
def rds(functions: FakeFunctions, monkeypatch: pytest.MonkeyPatch) -> FakeRds:
    """RDS of the stack `dev`, without delays."""
    found = FakeRds()
    monkeypatch.setattr(administrator(), "rds", found, raising=False)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    for module, name in ((backups, "POLL"), (lost, "POLL"), (lost, "ARRIVAL_TIMEOUT")):
        monkeypatch.setattr(module, name, 0)
    monkeypatch.setattr(steps, "LATE_AFTER", timedelta(0))
    return found


@pytest.fixture
def shop(
    dev: FakeAws, functions: FakeFunctions, rds: FakeRds, pulumi: Pulumi, monkeypatch: pytest.MonkeyPatch
) -> Shop:
    """A stack with four orders in DynamoDB, of which the restored database lacks one and another's state."""
    found = Shop(dev, functions, pulumi)
    monkeypatch.setattr(Deploys, "deploy", lambda self, changed: found.deploy(self, changed))
    monkeypatch.setattr(account_checks, "clients", lambda *_: None)
    monkeypatch.setattr(Deploys, "put_back", lambda _self, keys: found.put_back.extend(keys))
    monkeypatch.setattr(
        preflight,
        "read_configuration",
        lambda _stack: {f"cafe-orders:{key}": value for key, value in found.settings.items()},
    )
    found.put("o1", 1)
    found.put("o2", 7)
    found.put("o3", 1)
    return found


@pytest.fixture
def restore(cafe: Cafe) -> Cafe:
    """The command on the stack `dev`, with `--yes`."""
    return lambda *words: cafe("restore", *words, "--stack", "dev", "--yes")


def test_a_restore_to_a_time_takes_every_step(restore: Cafe, shop: Shop, rds: FakeRds) -> None:
    result = restore("--to", TO)

    assert result.exit_code == 0, result.stderr
    assert rds.calls == ["restore", "snapshot", "delete"]
    assert rds.restored["SourceDBInstanceIdentifier"] == RUNNING
    assert (rds.restored["DBSubnetGroupName"], rds.restored["PubliclyAccessible"]) == ("cafe-db-dev", False)
    assert shop.deploys == [(OFF, False), (NEW, True), (ON, False)]
    assert shop.rows == {"o1": 1, "o2": 7, "o3": 1}
    assert shop.functions.states == ["Disabling", "Enabling"]
    assert shop.is_running
    assert "1 order and 1 state restored from DynamoDB; 0 not restored." in result.stdout
    assert "the worker was paused for " in result.stdout.splitlines()[-1]


def test_a_restore_from_a_snapshot_of_an_unprotected_stack_is_one_deploy(
    restore: Cafe, shop: Shop, rds: FakeRds
) -> None:
    shop.aws.deployed["deletionProtection"] = False
    shop.deploy(Deploys(_stack_of(shop.aws), yes=True, quiet=True), {})
    shop.deploys.clear()
    rds.gigabytes = 31

    result = restore("--snapshot", "cafe-2026-11-01", "--json")

    assert result.exit_code == 0, result.stderr
    assert rds.calls == []
    assert shop.deploys == [({"databaseSnapshot": "cafe-2026-11-01", "databaseStorage": "31"}, True)]
    document = json.loads(result.stdout)
    assert (document["ok"], document["orders_brought_back"], document["states_brought_back"]) == (True, 1, 1)
    assert shop.is_running


def _stack_of(aws: FakeAws) -> stack.Stack:
    return stack.Stack(name="dev", outputs=aws.outputs(), region="eu-central-1")


BREAKS = {
    "restore beside": (False, []),
    "deploy 0": (False, []),
    "deploy 1": (True, [OFF]),
    "looking orders up": (False, [OFF, NEW]),
    "deploy 2": (False, [OFF, NEW]),
}


@pytest.mark.parametrize("place", BREAKS)
def test_ctrl_c_reports_what_is_paused_and_how_to_continue(
    restore: Cafe, cafe: Cafe, shop: Shop, rds: FakeRds, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    is_paused, done = BREAKS[place]

    def stop(number: int = 0) -> None:
        if place in {"restore beside", f"deploy {number}"}:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if place == "restore beside":
            patch.setattr(rds, "create_db_snapshot", lambda **_: stop())
        elif place == "looking orders up":
            patch.setattr(shop.functions, "usual", stopped_at_a_page)
        else:
            shop.during = stop
        result = restore("--to", TO)
    shop.during = lambda _number: None

    assert result.exit_code == 130
    assert ("ReconcileOrders are paused: orders wait in the queue" in result.stderr) is is_paused
    assert "Continue with `cafe restore --stack dev`." in result.stderr
    assert [changed for changed, _ in shop.deploys] == done
    findings = doctor_findings(cafe)
    assert findings["schedule"]["next"] == "cafe restore --stack dev"
    if is_paused:
        assert "paused by a restore as of 2026-11-22" in findings["worker"]["detail"]
        assert findings["worker"]["next"] == "cafe restore --stack dev"

    again = restore()

    assert again.exit_code == 0, again.stderr
    assert shop.deploys == [(OFF, False), (NEW, True), (ON, False)]
    assert rds.calls == ["restore", "snapshot", "delete"]
    assert shop.rows == {"o1": 1, "o2": 7, "o3": 1}
    assert shop.is_running


def stopped_at_a_page(event: dict[str, Any]) -> dict[str, Any]:
    if "versions" not in event:
        return {}
    signal.raise_signal(signal.SIGINT)
    return {"missing": [], "older": []}


def doctor_findings(cafe: Cafe) -> dict[str, Any]:
    found = json.loads(cafe("doctor", "--json", "--stack", "dev").stdout)["findings"]
    return {finding["name"]: finding for finding in found}


def test_a_schedule_that_is_off_without_a_restore_needs_a_deploy(cafe: Cafe, shop: Shop) -> None:
    assert doctor_findings(cafe)["schedule"]["state"] == State.OK
    shop.aws.events.disable_rule(Name="AuditOrders-dev")
    finding = doctor_findings(cafe)["schedule"]
    assert finding["state"] == State.BAD
    assert "AuditOrders-dev" in finding["detail"]
    assert finding["next"] == "make deploy STACK=dev ARGS=--refresh"


def test_another_restore_does_not_begin_while_one_is_under_way(restore: Cafe, shop: Shop) -> None:
    shop.during = lambda _number: signal.raise_signal(signal.SIGINT)
    restore("--to", TO)
    result = restore("--snapshot", "cafe-2026-11-01")
    assert result.exit_code == 1
    assert "Another restore, as of" in result.stderr


def test_of_two_restores_that_begin_at_once_one_begins(
    restore: Cafe, shop: Shop, rds: FakeRds, monkeypatch: pytest.MonkeyPatch
) -> None:
    def see_none_yet(records: Records) -> None:
        other = Record(snapshot="cafe-x", source=RUNNING, protected=False, started_at=datetime.now(UTC))
        records.save(other)

    monkeypatch.setattr(Records, "load", see_none_yet)
    result = restore("--to", TO)
    assert (result.exit_code, rds.calls, shop.deploys) == (1, [], [])
    assert result.stderr.endswith("Another restore of this stack has just begun.\n")


def test_a_cancelled_restore_changes_nothing(restore: Cafe, shop: Shop) -> None:
    def stop(number: int) -> None:
        if number == 1:
            raise KeyboardInterrupt

    shop.during = stop
    restore("--to", TO)
    shop.during = lambda _number: None
    shop.settings["databaseSnapshot"] = AS_OF

    result = restore("--cancel")

    assert result.exit_code == 0, result.stderr
    assert shop.put_back == ["databaseSnapshot", "databaseStorage"]
    assert shop.deploys[1:] == [(ON, False)]
    assert shop.is_running
    assert restore("--cancel").stderr == "No restore of stack dev is under way.\n"


def test_a_cancelled_restore_keeps_the_protection_that_was_not_turned_off(restore: Cafe, shop: Shop) -> None:
    def refuse(_number: int) -> None:
        shop.settings["deletionProtection"] = "false"  # as `pulumi up --config` does before it asks
        raise KeyboardInterrupt

    shop.during = refuse
    restore("--to", TO)
    assert restore("--cancel").exit_code == 0
    assert (shop.deploys, shop.put_back) == ([], ["deletionProtection"])


def test_a_restore_that_has_begun_to_replace_the_database_is_not_cancelled(
    restore: Cafe, shop: Shop, rds: FakeRds
) -> None:
    def stop(number: int) -> None:
        if number == 1:
            rds.instances["cafe-db-dev-89abcde"] = ["creating"]
            raise KeyboardInterrupt

    shop.during = stop
    restore("--to", TO)
    result = restore("--cancel")
    assert result.exit_code == 1
    assert "has been replaced already: continue the restore" in result.stderr
    assert not shop.is_running


def test_a_restore_that_is_cancelled_early_leaves_no_instance(
    restore: Cafe, shop: Shop, rds: FakeRds
) -> None:
    def stop(**_: object) -> None:
        raise KeyboardInterrupt

    rds.create_db_snapshot = stop  # type: ignore[method-assign]
    restore("--to", TO)
    assert restore("--cancel").exit_code == 0
    assert rds.calls == ["restore", "delete"]
    assert (shop.deploys, shop.put_back) == ([], [])
    assert shop.is_running


def test_a_restore_that_may_not_pause_the_schedule_does_not_report_a_pause(
    restore: Cafe, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_schedule: Schedule) -> None:
        raise OperationError("EventBridge: AccessDenied.")

    with monkeypatch.context() as patch:
        patch.setattr(Schedule, "pause", refuse)
        result = restore("--to", TO)
    assert result.exit_code == 1
    assert result.stderr.endswith("AccessDenied.\nContinue with `cafe restore --stack dev`.\n")
    assert shop.functions.states == []
    assert restore().exit_code == 0


def test_orders_that_are_not_restored_are_named(restore: Cafe, shop: Shop) -> None:
    shop.refuses = {"o3"}
    result = restore("--to", TO)
    assert result.exit_code == 1
    assert "1 order of DynamoDB's could not be restored, such as o3" in result.stderr
    assert shop.is_running


def test_an_order_that_cannot_be_sent_is_named_with_the_reason(restore: Cafe, shop: Shop) -> None:
    shop.put("o4", 0)
    shop.aws.dynamodb.update_item(
        TableName="Orders-dev",
        Key={"orderId": {"S": "o4"}},
        UpdateExpression="SET photo = :photo",
        ExpressionAttributeValues={":photo": {"B": b"x"}},
    )
    result = restore("--to", TO)
    assert result.exit_code == 1
    assert "1 order could not be sent; o4: photo is binary data" in result.stdout
    assert shop.rows["o3"] == 1


def test_an_order_without_a_time_is_restored_under_its_id(restore: Cafe, shop: Shop) -> None:
    shop.put("o4", 0, created_at="")
    assert restore("--to", TO).exit_code == 0
    assert shop.rows["o4"] == 0


def test_a_failed_audit_ends_with_1(restore: Cafe, shop: Shop) -> None:
    usual = shop.functions.usual
    shop.functions.usual = lambda event: (
        {"reason": "Time was up"} if event.get("command") == "full" else usual(event)
    )
    result = restore("--to", TO)
    assert result.exit_code == 1
    assert "The audit failed: Time was up. Repeat it: `cafe reconcile --full --stack dev`." in result.stderr
    assert shop.is_running


@pytest.mark.parametrize(
    ("words", "exit_code", "sentence"),
    [
        (("--to", "2026-11-26T16:00Z"), 1, "No automated backup has 2026-11-26"),
        (("--to", "soon"), 2, "is not a date or time"),
        (("--snapshot", "other"), 1, "Snapshot other does not exist in this account and region."),
        (("--snapshot", "deployed"), 1, "The database was made from snapshot deployed"),
        (("--snapshot", "new"), 1, "Snapshot new is creating."),
        (("--to", TO, "--snapshot", "x"), 2, "Use one of --to, --snapshot and --cancel."),
    ],
)
def test_an_impossible_restore_is_refused_before_it_changes_anything(
    restore: Cafe, shop: Shop, rds: FakeRds, words: tuple[str, ...], exit_code: int, sentence: str
) -> None:
    shop.deploy(Deploys(_stack_of(shop.aws), yes=True, quiet=True), {"databaseSnapshot": "deployed"})
    rds.snapshots |= {"deployed": ["available"], "new": ["creating"]}
    result = restore(*words)
    assert result.exit_code == exit_code
    assert sentence in " ".join(result.stderr.replace("│", " ").split())
    assert rds.calls == []
    assert shop.is_running


def test_a_deploy_that_could_not_be_checked_is_a_warning(
    restore: Cafe, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    unchecked = account_checks.Finding("snapshot was not checked: AccessDenied.", refuses=False)
    monkeypatch.setattr(preflight, "findings", lambda *_: [unchecked])
    result = restore("--to", TO)
    assert result.exit_code == 0
    assert "Warning: snapshot was not checked: AccessDenied.\n" in result.stderr


def test_a_deploy_that_would_fail_is_refused_before_it_changes_anything(
    restore: Cafe, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = account_checks.Finding("databaseSnapshot: it is not encrypted: copy it with encryption.")
    monkeypatch.setattr(preflight, "findings", lambda *_: [finding])
    result = restore("--snapshot", "cafe-2026-11-01")
    assert result.exit_code == 1
    assert "This cannot be restored:\n  databaseSnapshot: it is not encrypted" in result.stderr
    assert shop.deploys == []
    assert shop.is_running


def test_a_deleted_database_is_restored_from_its_retained_backups(
    restore: Cafe, shop: Shop, rds: FakeRds
) -> None:
    rds.is_active = False
    del rds.instances[RUNNING]
    assert restore("--to", TO).exit_code == 0
    assert rds.restored["SourceDbiResourceId"] == "db-1"
    assert "SourceDBInstanceIdentifier" not in rds.restored


def test_a_failed_restore_of_rds_is_reported(restore: Cafe, shop: Shop, rds: FakeRds) -> None:
    rds.instances[AS_OF] = ["incompatible-parameters"]
    result = restore("--to", TO)
    assert result.exit_code == 1
    assert f"Instance {AS_OF} is incompatible-parameters" in result.stderr
    assert shop.deploys == []


def test_without_options_the_backups_are_listed(restore: Cafe, shop: Shop) -> None:
    lines = restore().stdout.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"Database {RUNNING}: automated backups from 2026-11-")
    assert lines[1].startswith("Snapshot cafe-2026-11-01: available, ")
    document = json.loads(restore("--json").stdout)
    assert document["automated"][0]["to"] == "2026-11-26T15:55:00.000Z"
    assert [found["name"] for found in document["snapshots"]] == ["cafe-2026-11-01"]


def test_credentials_of_another_account_are_refused(restore: Cafe, shop: Shop, pulumi: Pulumi) -> None:
    outputs = shop.aws.outputs()
    elsewhere = outputs["topic_arn"].replace("123456789012", "210987654321")
    pulumi.prints(json.dumps(outputs | {"topic_arn": elsewhere}))
    result = restore("--to", TO)
    assert result.exit_code == 2
    assert "of account 123456789012, and stack dev is in account 210987654321" in result.stderr


def test_nothing_is_restored_without_confirmation(cafe: Cafe, shop: Shop, rds: FakeRds) -> None:
    result = cafe("restore", "--to", TO, "--stack", "dev")
    assert result.exit_code != 0
    assert "three deploys, because it is protected" in result.stderr
    assert rds.calls == []


def test_the_local_stack_has_no_backups(cafe: Cafe) -> None:
    result = cafe("restore")
    assert result.exit_code == 2
    assert "The local stack has no backups" in result.stderr


@pytest.mark.parametrize(("status", "sentence"), [(0, None), (3, "The deploy failed")])
def test_a_deploy_runs_scripts_pulumi(
    tmp_path: Path, dev: FakeAws, monkeypatch: pytest.MonkeyPatch, status: int, sentence: str | None
) -> None:
    script = tmp_path / "scripts" / "pulumi"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\necho "$@" > words\nexit {status}\n')
    script.chmod(0o755)
    monkeypatch.setattr(deploys, "REPOSITORY", tmp_path)
    target = Deploys(stack.load("dev"), yes=True, quiet=True)
    if sentence:
        with pytest.raises(OperationError, match=sentence):
            target.deploy(NEW)
    else:
        target.deploy({**NEW, "databaseStorage": "31"})
        words = f"up dev --config databaseSnapshot={AS_OF} --config databaseStorage=31 --yes"
        assert (tmp_path / "words").read_text().strip() == words


def test_settings_are_reset_to_the_deployed_values(dev: FakeAws, pulumi: Pulumi) -> None:
    Deploys(stack.load("dev"), yes=True, quiet=True).put_back(["databaseStorage"])
    assert pulumi.words == ["config", "set", "databaseStorage", "20", "--stack", "dev"]
    Deploys(stack.load("dev"), yes=True, quiet=True).put_back(["deletionProtection"])
    assert pulumi.words == ["config", "set", "deletionProtection", "true", "--stack", "dev"]
    pulumi.prints(exit_code=1)
    with pytest.raises(OperationError, match="set it to '' yourself"):
        Deploys(_stack_of(dev), yes=True, quiet=True).put_back(["databaseSnapshot"])
