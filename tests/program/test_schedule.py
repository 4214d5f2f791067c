"""The schedules of the reconciler, its audit, the backup, and erasing old orders."""

from __future__ import annotations

import json

import pytest

from tests.program.conftest import Program


def test_the_reconciler_runs_every_minute(program: Program) -> None:
    rule = program.one("cloudwatch/eventRule:EventRule", "ReconcileOrders")
    assert rule.inputs["scheduleExpression"] == "rate(1 minute)"
    target = program.one("cloudwatch/eventTarget:EventTarget", "ReconcileOrders")
    assert target.inputs["arn"] == "arn:Function.ReconcileOrders"
    assert target.inputs["rule"] == "EventRule.ReconcileOrders"


def test_all_counters_are_audited_every_hour_in_a_separate_invocation(program: Program) -> None:
    rule = program.one("cloudwatch/eventRule:EventRule", "AuditOrders")
    assert rule.inputs["scheduleExpression"] == "rate(1 hour)"
    target = program.one("cloudwatch/eventTarget:EventTarget", "AuditOrders").inputs
    assert json.loads(target["input"]) == {"command": "full", "source": "aws.events"}
    assert target["rule"] == "EventRule.AuditOrders"


def test_old_orders_are_erased_every_six_hours(program: Program) -> None:
    rule = program.one("cloudwatch/eventRule:EventRule", "EraseOrders")
    assert rule.inputs["scheduleExpression"] == "rate(6 hours)"
    target = program.one("cloudwatch/eventTarget:EventTarget", "EraseOrders").inputs
    assert json.loads(target["input"]) == {"action": "retention"}
    assert target["arn"] == "arn:Function.EraseOrders"


@pytest.mark.parametrize("name", ["ReconcileOrders", "BackupOrders", "EraseOrders"])
def test_only_its_rule_may_invoke_it_and_a_failed_run_is_not_retried(program: Program, name: str) -> None:
    permission = program.one("lambda/permission:Permission", name).inputs
    assert permission["principal"] == "events.amazonaws.com"
    assert permission["sourceArn"] == f"arn:EventRule.{name}"
    asynchronous = program.one("lambda/functionEventInvokeConfig:FunctionEventInvokeConfig", name).inputs
    assert asynchronous["maximumRetryAttempts"] == 0
    assert asynchronous["functionName"] == f"Function.{name}"
