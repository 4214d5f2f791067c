"""Checks of the dead-letter queues."""

from cli import queues, times
from cli.dlq.states import Kind, summary
from cli.doctor.context import MAX_SILENCE, Context, State, Verdict
from cli.plurals import messages, orders


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
    text = f"{orders(number)} not recorded" + (f": {reasons[0]}" if reasons else "")
    return Verdict(State.BAD, text)


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
