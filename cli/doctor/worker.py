"""Checks of the queues, of the worker that reads one, and of the schedule."""

import time
from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from cli import queues, times, worker_log
from cli.dlq.states import Kind, recorded, summary
from cli.doctor.context import MAX_SILENCE, Context, State, Verdict
from cli.error_codes import DENIED, explain, meaning_of
from cli.plurals import are, messages, orders
from cli.schedule import Schedule

OLD, TOO_OLD = timedelta(minutes=1), timedelta(minutes=10)  # age of the oldest message in the queue
METRIC_WINDOW = timedelta(minutes=15)
LOG = "logs OrderProcessor --since 15m"  # the command that shows why orders failed
PAUSE = 2.0  # seconds between two readings of a queue whose age is unknown


def queue(context: Context) -> Verdict:
    url = context.stack.output("queue_url")
    depth = queues.depth(context.clients.sqs, url)
    orders = f"{depth.waiting:,} waiting, {depth.in_flight:,} with the worker"
    if not depth.waiting:
        return Verdict(State.OK, orders)
    age = _age_of_oldest(context, url)
    if age is None:
        time.sleep(PAUSE)
        fewer = depth.waiting - queues.depth(context.clients.sqs, url).waiting
        if fewer > 0:
            return Verdict(State.OK, f"{orders}; {fewer:,} fewer are waiting {PAUSE:g} s later")
        return Verdict(State.WARN, f"{orders}, and not fewer {PAUSE:g} s later")
    text = f"{orders}, the oldest for {times.duration(age)}"
    return Verdict(State.BAD if age >= TOO_OLD else State.WARN if age >= OLD else State.OK, text)


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
    latest = max(points, key=lambda point: point["Timestamp"], default=None)
    return timedelta(seconds=latest["Maximum"]) if latest else None


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
        return Verdict(State.WARN, f"takes orders, but the last time: {last}", context.command(LOG))
    since = datetime.now(UTC) - METRIC_WINDOW
    found = _failed_orders(context, since)
    return _back_off(context, since) or found if found.state is State.OK else found


def _failed_orders(context: Context, since: datetime) -> Verdict:
    """Read the worker's log: a run succeeds even if an order could not be recorded."""
    group = context.stack.output("worker_log_group")
    found, complete = worker_log.failures(context.clients.logs, group, since)
    lines = [line for line in found if not line.fields.get("conflict")]
    period = f"in the last {times.duration(METRIC_WINDOW)}"
    if not lines and complete:
        return Verdict(State.OK, f"takes orders from the queue; none failed {period}")
    if not lines:
        text = f"takes orders, but its log {period} is too long to be read"
        return Verdict(State.WARN, text, context.command(LOG))
    latest, order_ids = lines[-1], {str(line.fields.get("orderId")) for line in lines}
    which, at_least = ("the latest", "") if complete else ("one of them", "at least ")
    reason = f"{which} at {times.local_time(latest.at)}: {explain(latest.reason)}"
    if missing := order_ids - recorded(context.clients, order_ids).keys():
        count = f"{at_least}{orders(len(missing))}"
        text = f"{count} failed {period} and {are(len(missing))} not recorded yet, {reason}"
        return Verdict(State.BAD, text, context.next_for_store(latest.reason))
    text = f"{at_least}{orders(len(order_ids))} failed {period}, and recorded since"
    # ReconcileOrders may have recorded them, so the worker may still fail.
    if not worker_log.has_processed(context.clients.logs, group, latest.at):
        text = f"{text}, but the worker has recorded none since, {reason}"
        return Verdict(State.WARN, text, context.command("verify"))
    return Verdict(State.OK, f"takes orders from the queue; {text}, {reason}")


def _back_off(context: Context, since: datetime) -> Verdict | None:
    """Check whether the worker may set the visibility of failed messages; other problems are temporary."""
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
        also = ", and ReconcileOrders is paused" if off else ""
        return Verdict(State.BAD, f"a restore {restore.what} is under way{also}", context.command("restore"))
    if off or not rules:
        text = f"paused: {', '.join(off)}" if off else "no rule calls ReconcileOrders"
        return Verdict(State.BAD, f"{text}; stores are not compared, and OrderDLQ is not read")
    return Verdict(State.OK, "ReconcileOrders is called every minute")


def dead_letters(context: Context) -> Verdict:
    number = context.dead_lettered
    if not number:
        return Verdict(State.OK, "none")
    found = context.letters
    sample = f"of the first {len(found)}, " if len(found) < number else ""
    swept = _is_swept(context)
    what = summary(found, swept=swept) if found else "another receiver holds them now"
    text = f"{messages(number)}: {sample}{what}"
    if not swept:
        silent = times.duration(MAX_SILENCE)
        text = f"{text}; ReconcileOrders has not read them in the last {silent}"
        return Verdict(State.BAD, text, context.command("reconcile"))
    waiting = next((state for state in found if state.kind is Kind.WAITING), None)
    only_waiting = all(state.kind in {Kind.WAITING, Kind.RECORDED, Kind.UNKNOWN} for state in found)
    command = context.next_for_store(waiting.reason or "") if waiting and only_waiting else None
    return Verdict(State.BAD, text, command)


def _is_swept(context: Context) -> bool:
    """Return whether ReconcileOrders read the dead letters recently; True if that is unknown."""
    if context.status is None or "dynamodb" in context.status.degraded:
        return True
    return not context.status.sync.dead_lettered or context.status.sync.dead_letters is not None


def conflicts(context: Context) -> Verdict:
    """Count the orders whose id belongs to another order: they must be corrected."""
    reasons = [letter.reason for letter in context.letters if letter.kind is Kind.CONFLICTING]
    swept = context.status.sync.dead_letters if context.status else None
    # The sweep reads all messages, but not those of the last minute.
    swept_number = min(swept.conflicting, context.dead_lettered) if swept else 0
    number = max(len(reasons), swept_number)
    if not number:
        return Verdict(State.OK, "none")
    return Verdict(State.BAD, f"{orders(number)} not recorded" + (f": {reasons[0]}" if reasons else ""))


def undelivered(context: Context) -> Verdict:
    if problem := _undeliverable(context):
        return Verdict(State.BAD, problem, context.deploy)
    url = context.stack.output("subscription_dead_letter_queue_url")
    number = queues.depth(context.clients.sqs, url).total
    if not number:
        return Verdict(State.OK, "none")
    return Verdict(State.BAD, f"{messages(number)}: they are not retried automatically")


def _undeliverable(context: Context) -> str | None:
    """Return why SNS cannot deliver orders; without a subscription they are lost."""
    topic = context.stack.output("topic_arn")
    attributes = context.clients.sqs.get_queue_attributes(
        QueueUrl=context.stack.output("queue_url"), AttributeNames=["QueueArn", "Policy"]
    )["Attributes"]
    pages = context.clients.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    endpoints = {found["Endpoint"] for page in pages for found in page["Subscriptions"]}
    if attributes["QueueArn"] not in endpoints:
        return "OrderQueue is not subscribed to OrderTopic: orders are accepted, and then lost"
    if topic not in attributes.get("Policy", ""):
        return "OrderQueue's policy does not let OrderTopic send to it: no order reaches the worker"
    return None
