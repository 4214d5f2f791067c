"""What runs by the clock."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.lambda_function import Function

# Seconds, the least that Lambda allows: a run that could not start by then is left to the next one.
MAX_EVENT_AGE = 60


@dataclass(frozen=True, kw_only=True)
class Run:
    """When a function runs, and with what event."""

    rate: str  # such as `rate(1 minute)`
    event: Mapping[str, str] | None = None  # None for EventBridge's own


# An audit reads the whole table: in an invocation of its own, beside the comparison of the last minutes.
RECONCILE_RUNS = {
    "ReconcileOrders": Run(rate="rate(1 minute)"),
    "AuditOrders": Run(rate="rate(1 hour)", event={"command": "full", "source": "aws.events"}),
}
# The next run writes what a failed one did not, long before a copy is a day late.
BACKUP_RUNS = {"BackupOrders": Run(rate="rate(6 hours)")}


@dataclass(frozen=True, kw_only=True)
class ScheduleArgs:
    """What runs, and how often."""

    function: Function
    runs: Mapping[str, Run]  # by the names of their rules


def start(*, reconcile: Function, backup: Function) -> None:
    """Run what runs by the clock."""
    Schedule("ReconcileOrders", ScheduleArgs(function=reconcile, runs=RECONCILE_RUNS))
    Schedule("BackupOrders", ScheduleArgs(function=backup, runs=BACKUP_RUNS))


class Schedule(pulumi.ComponentResource):
    """A function that EventBridge calls again and again, without an order being involved."""

    def __init__(self, name: str, args: ScheduleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Schedule", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        function = args.function.function

        # EventBridge calls asynchronously. A failed run is not tried again: the next one does its work, too,
        # and two at once would do it twice.
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
