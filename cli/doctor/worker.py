"""Checks of the queue, of the worker that reads it, and of the schedule."""

import time
from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from cli import queues, times, worker_log
from cli.dlq.states import recorded
from cli.doctor.context import Context, State, Verdict
from cli.error_codes import DENIED, explain, meaning_of
from cli.plurals import are, orders
from cli.schedule import Schedule

OLD, TOO_OLD = timedelta(minutes=1), timedelta(minutes=10)  # age of the oldest message in the queue
METRIC_WINDOW = timedelta(minutes=15)
PAUSE = 2.0  # seconds between two readings of a queue whose age is unknown


def queue(context: Context) -> Verdict:
    url = context.stack.output("queue_url")
    depth = queues.depth(context.clients.sqs, url)
    orders = f"{depth.waiting:,} waiting, {depth.in_flight:,} with the worker"
    if not depth.waiting:
        return Verdict(State.OK, orders)
    age = _age_of_oldest(context, url)
    if age is None:
        return _is_shrinking(context, url, depth.waiting, orders)
    text = f"{orders}, the oldest for {times.duration(age)}"
    state = State.BAD if age >= TOO_OLD else State.WARN if age >= OLD else State.OK
    return Verdict(state, text)


def _age_of_oldest(context: Context, url: str) -> timedelta | None:
    """Read the age from CloudWatch; SQS returns it only with a message."""
    now = datetime.now(UTC)
    try:
        points = context.clients.cloudwatch.get_metric_statistics(
            Namespace="AWS/SQS",
            MetricName="ApproximateAgeOfOldestMessage",
            Dimensions=[{"Name": "QueueName", "Value": url.rpartition("/")[2]}],
            StartTime=now - METRIC_WINDOW,
            EndTime=now,
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
    except (BotoCoreError, ClientError):
        return None
    if not points:
        return None
    latest = max(points, key=lambda point: point["Timestamp"])
    return timedelta(seconds=latest["Maximum"])


def _is_shrinking(context: Context, url: str, waiting: int, orders: str) -> Verdict:
    time.sleep(PAUSE)
    now = queues.depth(context.clients.sqs, url).waiting
    if now < waiting:
        return Verdict(State.OK, f"{orders}; {waiting - now:,} fewer are waiting {PAUSE:g} s later")
    return Verdict(State.WARN, f"{orders}, and not fewer {PAUSE:g} s later")


def worker(context: Context) -> Verdict:
    uuid = context.stack.output("worker_mapping")
    mapping = context.clients.functions.get_event_source_mapping(UUID=uuid)
    state = mapping.get("State", "unknown")
    last = mapping.get("LastProcessingResult", "")
    if state in {"Disabled", "Disabling"}:
        if restore := context.restore:
            text = f"is paused by a restore {restore.what}: orders wait in the queue"
            return Verdict(State.BAD, text, context.command("restore"))
        return Verdict(State.BAD, "is paused: orders wait in the queue")
    if state != "Enabled":
        return Verdict(State.WARN, f"is not ready: {state}", context.command("doctor"))
    if last.startswith("PROBLEM"):
        return Verdict(State.WARN, f"takes orders, but the last time: {last}", context.worker_log_command)
    found = _failed_orders(context)
    return _back_off(context) or found if found.state is State.OK else found


def _failed_orders(context: Context) -> Verdict:
    """Read the worker's log: a run succeeds even if an order could not be recorded."""
    since = datetime.now(UTC) - METRIC_WINDOW
    group = context.stack.output("worker_log_group")
    found = worker_log.failures(context.clients.logs, group, since)
    lines = [line for line in found.lines if not line.conflict]  # of the other orders
    period = f"in the last {times.duration(METRIC_WINDOW)}"
    if not lines and not found.complete:
        text = f"takes orders, but its log {period} is too long to be read"
        return Verdict(State.WARN, text, context.worker_log_command)
    if not lines:
        return Verdict(State.OK, f"takes orders from the queue; none failed {period}")
    latest, order_ids = lines[-1], {line.order_id for line in lines}
    which = "the latest" if found.complete else "one of them"
    reason = f"{which} at {times.local_time(latest.at)}: {explain(latest.reason)}"
    at_least = "" if found.complete else "at least "
    if missing := order_ids - recorded(context.stack, context.clients, order_ids).keys():
        count = f"{at_least}{orders(len(missing))}"
        text = f"{count} failed {period} and {are(len(missing))} not recorded yet, {reason}"
        return Verdict(State.BAD, text, context.next_for_store(latest.reason))
    text = f"{at_least}{orders(len(order_ids))} failed {period}, and recorded since"
    # ReconcileOrders may have recorded them, so the worker may still fail.
    if not worker_log.has_processed(context.clients.logs, group, latest.at):
        text = f"{text}, but the worker has recorded none since, {reason}"
        return Verdict(State.WARN, text, context.command("verify"))
    return Verdict(State.OK, f"takes orders from the queue; {text}, {reason}")


def _back_off(context: Context) -> Verdict | None:
    """Check whether the worker may set the visibility of failed messages; other problems are temporary."""
    since = datetime.now(UTC) - METRIC_WINDOW
    group = context.stack.output("worker_log_group")
    reason = worker_log.visibility_problem(context.clients.logs, group, since)
    if reason is None or meaning_of(reason) != DENIED:
        return None
    text = "takes orders, but failed messages are retried only after the queue's visibility timeout"
    return Verdict(State.WARN, f"{text}: {explain(reason)}", context.deploy)


def schedule(context: Context) -> Verdict:
    """Check whether the schedule of ReconcileOrders is on, and whether a restore is under way."""
    rules = Schedule(context.clients.events, context.stack).rules()
    off = sorted(name for name, is_on in rules.items() if not is_on)
    if restore := context.restore:
        text = f"a restore {restore.what} is under way"
        text = f"{text}, and ReconcileOrders is paused" if off else text
        return Verdict(State.BAD, text, context.command("restore"))
    if off or not rules:
        text = f"paused: {', '.join(off)}" if off else "no rule calls ReconcileOrders"
        return Verdict(State.BAD, f"{text}; stores are not compared, and OrderDLQ is not read")
    return Verdict(State.OK, "ReconcileOrders is called every minute")
