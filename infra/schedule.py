"""Schedules of the reconciler and its audit, of the backup, and of erasing old orders."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.lambda_function import Function, Functions

MAX_EVENT_AGE = 60  # seconds, Lambda's minimum: drop a run that cannot start before the next one


@dataclass(frozen=True, kw_only=True)
class Run:
    """Rate and event of a scheduled run."""

    rate: str  # such as `rate(1 minute)`
    event: Mapping[str, str] | None = None  # None: EventBridge's default event


# An audit reads the whole table, so it has its own invocation beside the comparison of the last minutes.
RECONCILE_RUNS = {
    "ReconcileOrders": Run(rate="rate(1 minute)"),
    "AuditOrders": Run(rate="rate(1 hour)", event={"command": "full", "source": "aws.events"}),
}
# Each run also writes the days that a failed run missed, so that a failure delays a copy by six hours only.
BACKUP_RUNS = {"BackupOrders": Run(rate="rate(6 hours)")}
# A run does what fits into its time; the first one after a setting changed may have years of orders.
ERASE_RUNS = {"EraseOrders": Run(rate="rate(6 hours)", event={"action": "retention"})}


@dataclass(frozen=True, kw_only=True)
class ScheduleArgs:
    """Inputs of Schedule."""

    function: Function
    runs: Mapping[str, Run]  # by rule name


def start(functions: Functions) -> None:
    """Schedule the reconciler, the backup, and the erasing of old orders."""
    Schedule("ReconcileOrders", ScheduleArgs(function=functions.reconcile_orders, runs=RECONCILE_RUNS))
    Schedule("BackupOrders", ScheduleArgs(function=functions.backup_orders, runs=BACKUP_RUNS))
    Schedule("EraseOrders", ScheduleArgs(function=functions.erase_orders, runs=ERASE_RUNS))


class Schedule(pulumi.ComponentResource):
    """The rules by which EventBridge invokes a function."""

    def __init__(self, name: str, args: ScheduleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Schedule", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        function = args.function.function

        # EventBridge invokes asynchronously. No retries: the next run does the work of a failed one.
        invocations = aws.lambda_.FunctionEventInvokeConfig(
            name,
            function_name=function.name,
            maximum_retry_attempts=0,
            maximum_event_age_in_seconds=MAX_EVENT_AGE,
            opts=self._child,
        )
        for rule, run in args.runs.items():
            self._schedule(rule, run, function, [invocations])
        self.register_outputs({})

    def _schedule(
        self, name: str, run: Run, function: aws.lambda_.Function, ready: Sequence[pulumi.Resource]
    ) -> None:
        rule = aws.cloudwatch.EventRule(
            name, schedule_expression=run.rate, description=f"Runs {name}", opts=self._child
        )
        permission = aws.lambda_.Permission(
            name,
            action="lambda:InvokeFunction",
            function=function.name,
            principal="events.amazonaws.com",
            source_arn=rule.arn,
            opts=self._child,
        )
        aws.cloudwatch.EventTarget(
            name,
            rule=rule.name,
            arn=function.arn,
            input=json.dumps(run.event) if run.event else None,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[permission, *ready]),
        )
