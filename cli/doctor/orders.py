"""Checks of the latest order, of orders that are late, and of the copies of the orders."""

from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from cli import aws, copies, times
from cli.doctor.context import Context, State, Verdict
from cli.kitchen import Kitchen
from cli.plurals import orders
from cli.stack import Stack
from orders.states import TO_MAKE
from orders.times import MAX_AHEAD


def last_order(context: Context) -> Verdict:
    stores = context.stores()
    last, future = stores.last_order_at, stores.future_orders or 0
    if not stores.database.reachable:
        return Verdict(State.WARN, "unknown", context.next_for_database(stores.database.reason))
    more = f"; {orders(future)} dated in the future besides" if future else ""
    if last is None:
        return Verdict(State.OK, f"none yet{more}")
    age = times.age(last)
    if age < -MAX_AHEAD:  # from a function of an earlier release
        return Verdict(State.WARN, f"dated {times.local_time(last)}, which is in the future", context.deploy)
    return Verdict(State.OK, f"{times.local_time(last)}, {times.duration(age)} ago{more}")


def max_wait(stack: Stack) -> timedelta:
    """Return how long an order may take to be ready; zero without the alarm LateOrders."""
    return timedelta(minutes=int(stack.outputs.get("waiting_alarm_minutes", 0)))


def late_orders(context: Context) -> Verdict:
    limit = max_wait(context.stack)
    board = Kitchen.of(context.stack, context.clients).board()
    waits = {
        order.number: board.now - order.created_at
        for order in board.orders
        if order.state in TO_MAKE and order.created_at
    }
    late = [number for number, wait in waits.items() if wait > limit]
    if not late:
        return Verdict(State.OK, f"none waits for longer than {times.duration(limit)}")
    oldest = max(late, key=lambda number: waits[number])
    number, wait = orders(len(late)), times.duration(waits[oldest])
    text = f"{number} not ready after {times.duration(limit)}; the oldest, {oldest}, after {wait}"
    return Verdict(State.WARN, text)


def backup(context: Context) -> Verdict:
    """Check the age of the last complete copy; a new stack needs none yet."""
    try:
        last = copies.Copies(context.clients.s3, context.stack.output("backup_bucket")).last_at()
        made = None if last else _made_at(context, context.stack.output("backup_log_group"))
    except (BotoCoreError, ClientError) as error:
        if aws.is_not_found(error):
            raise
        return Verdict(State.BAD, f"could not check: {aws.problem(error)}")
    now = context.command("backup now")
    if last is not None:
        age = times.age(last)
        state = State.BAD if age > copies.MAX_AGE else State.OK
        return Verdict(state, f"complete as of {times.duration(age)} ago", now)
    if made is not None and times.age(made) <= copies.MAX_AGE:
        return Verdict(State.OK, "none yet: the first one is made within six hours of the first deploy")
    return Verdict(State.BAD, "none has ever been completed", now)


def _made_at(context: Context, log_group: str) -> datetime | None:
    """Return when a function was first deployed: its log group is older than its code."""
    found = context.clients.logs.describe_log_groups(logGroupNamePrefix=log_group)["logGroups"]
    made = next((group["creationTime"] for group in found if group["logGroupName"] == log_group), None)
    return datetime.fromtimestamp(made / 1000, UTC) if made else None
