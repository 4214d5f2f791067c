"""Checks of the orders: the latest one, those that wait in the kitchen, and their copies."""

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
    known = context.known()
    last, future = known.last_order_at, known.future_orders or 0
    if not known.database.reachable:
        return State.WARN, "not known", context.next_for_database(known.database.reason)
    more = f"; {orders(future)} dated in the future besides" if future else ""
    if last is None:
        return State.OK, f"none yet{more}", None
    ago = times.ago(last).total_seconds()
    if ago < -MAX_AHEAD.total_seconds():  # from a function of an earlier release
        return State.WARN, f"dated {times.spoken(last)}, which is in the future", context.deploy
    return State.OK, f"{times.spoken(last)}, {times.duration(max(0.0, ago))} ago{more}", None


def longest_wait(stack: Stack) -> timedelta:
    """Return how long an order may take to be ready; zero without the alarm LateOrders."""
    return timedelta(minutes=int(stack.outputs.get("waiting_alarm_minutes", 0)))


def late_orders(context: Context) -> Verdict:
    longest = longest_wait(context.stack)
    board = Kitchen.of(context.stack, context.clients).board()
    waits = {
        order.number: board.now - order.created_at
        for order in board.orders
        if order.state in TO_MAKE and order.created_at
    }
    late = [number for number, wait in waits.items() if wait > longest]
    limit = times.duration(longest.total_seconds())
    if not late:
        return State.OK, f"none wait for longer than {limit}", None
    oldest = max(late, key=lambda number: waits[number])
    wait = times.duration(waits[oldest].total_seconds())
    text = f"{orders(len(late))} not ready after {limit}; the oldest, {oldest}, after {wait}"
    return State.WARN, text, context.command("orders list")


def backup(context: Context) -> Verdict:
    """Read how old the last complete copy is; a new stack needs none yet."""
    try:
        last = copies.Copies(context.clients.s3, context.stack.output("backup_bucket")).last_at()
        made = None if last else _made_at(context, context.stack.output("backup_log_group"))
    except (BotoCoreError, ClientError) as error:
        if aws.is_not_there(error):
            raise
        return State.BAD, f"could not check: {aws.problem(error)}", context.command("backup list")
    now = context.command("backup now")
    if last is not None:
        ago = times.ago(last)
        state = State.BAD if ago > copies.OLD else State.OK
        return state, f"complete as of {times.duration(max(0.0, ago.total_seconds()))} ago", now
    if made is not None and times.ago(made) <= copies.OLD:
        return State.OK, "none yet: the first one is made within six hours of the first deploy", None
    return State.BAD, "none was ever completed", now


def _made_at(context: Context, log_group: str) -> datetime | None:
    """Return when a function was first deployed: its log group is older than all of its code."""
    found = context.clients.logs.describe_log_groups(logGroupNamePrefix=log_group)["logGroups"]
    made = next((group["creationTime"] for group in found if group["logGroupName"] == log_group), None)
    return datetime.fromtimestamp(made / 1000, UTC) if made else None
