"""Checks of messages that the worker or SNS gave up on."""

from cli import queues, times
from cli.dlq.states import Kind, summary
from cli.doctor.context import SILENT, Context, State, Verdict
from cli.plurals import messages, orders


def dead_letters(context: Context) -> Verdict:
    number = context.dead_lettered
    if not number:
        return State.OK, "none", None
    found = context.letters
    looked_at = f"of the {len(found)} that were looked at, " if len(found) < number else ""
    swept = _is_swept(context)
    what = summary(found, swept=swept) if found else "somebody else holds them just now"
    if not swept:
        text = f"ReconcileOrders has not read them in the last {times.duration(SILENT.total_seconds())}"
        return State.BAD, f"{messages(number)}: {looked_at}{what}; {text}", context.command("reconcile")
    waiting = next((state for state in found if state.kind is Kind.WAITING), None)
    only_waiting = all(state.kind in {Kind.WAITING, Kind.RECORDED, Kind.UNKNOWN} for state in found)
    command = context.next_for_store(waiting.reason or "") if waiting and only_waiting else None
    return State.BAD, f"{messages(number)}: {looked_at}{what}", command or context.command("dlq list")


def _is_swept(context: Context) -> bool:
    """Return whether ReconcileOrders read the dead letters lately, as far as the API knows."""
    if context.status is None or "dynamodb" in context.status.degraded:
        return True
    return not context.status.sync.dead_lettered or context.status.sync.dead_letters is not None


def conflicts(context: Context) -> Verdict:
    """Read which orders have an id that belongs to another order: they wait for a person."""
    reasons = [letter.reason for letter in context.letters if letter.kind is Kind.CONFLICTING]
    swept = context.status.sync.dead_letters if context.status else None
    # The sweep looks at all messages, but not at those of the last minute.
    swept_number = min(swept.conflicting, context.dead_lettered) if swept else 0
    number = max(len(reasons), swept_number)
    if not number:
        return State.OK, "none", None
    text = f"{orders(number)} not recorded" + (f": {reasons[0]}" if reasons else "")
    return State.BAD, text, context.command("dlq list")


def undelivered(context: Context) -> Verdict:
    if problem := _undeliverable(context):
        return State.BAD, problem, context.deploy
    url = context.stack.output("subscription_dead_letter_queue_url")
    number = queues.depth(context.clients.sqs, url).total
    if not number:
        return State.OK, "none", None
    command = context.command("dlq list --queue subscription")
    return State.BAD, f"{messages(number)}: they are not retried automatically", command


def _undeliverable(context: Context) -> str | None:
    """Return why SNS cannot deliver orders; what it accepts without a subscription is lost."""
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
