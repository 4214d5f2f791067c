"""The schedule. Runs last, when its minute has usually passed."""

from __future__ import annotations

import json

from tests.system import System
from tests.waiting import LIMIT, eventually


def test_the_schedule_runs_the_reconciler(cafe: System) -> None:
    logs = cafe.stack.client("logs")
    (group,) = logs.describe_log_groups(logGroupNamePrefix="ReconcileOrders")["logGroups"]

    def is_scheduled() -> bool:
        lines = logs.filter_log_events(logGroupName=group["logGroupName"], filterPattern='"askedBy"')
        return any(json.loads(event["message"])["askedBy"] == "aws.events" for event in lines["events"])

    # A minute, and another: MiniStack may deliver a line only with the next invocation.
    eventually(is_scheduled, 2 * LIMIT)
