"""Checks of the database and of DynamoDB, of the latest orders in them, and of the copies."""

from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from cli import aws, copies, times
from cli.doctor.context import MAX_SILENCE, Context, State, Verdict
from cli.error_codes import explain
from cli.kitchen import Kitchen
from cli.plurals import orders
from cli.stack import REPOSITORY, Stack
from orders.states import TO_MAKE
from orders.times import MAX_AHEAD


def database(context: Context) -> Verdict:
    found = context.stores().database
    if not found.reachable:
        reason = found.reason or "the reason is unknown"
        return Verdict(State.BAD, f"not reachable: {explain(reason)}", context.next_for_database(reason))
    if found.refuses_writes:
        text = f"reachable, but refuses writes: {explain(found.refuses_writes)}"
        return Verdict(State.BAD, text, context.next_for_database(found.refuses_writes))
    return Verdict(State.OK, "reachable")


def schema(context: Context) -> Verdict:
    found = context.stores().database
    version, wanted = found.version, newest_migration()
    if version is None:
        command = context.deploy if found.reachable else context.next_for_database(found.reason)
        return Verdict(State.WARN, "unknown", command)
    if wanted and version != wanted:
        return Verdict(State.BAD, f"version {version}, and these sources need {wanted}")
    if (seconds := found.narrow_for) is not None:
        detail = (
            f"version {version}; ids end at 2,147,483,647 and times in 2038 until the table is widened, "
            f"which locks it for about {times.duration(max(1, seconds))}: do it at a quiet time"
        )
        return Verdict(State.WARN, detail, context.command("database widen"))
    return Verdict(State.OK, f"version {version}")


def drift(context: Context) -> Verdict:
    stores = context.stores()
    if not stores.dynamodb.reachable:
        return Verdict(State.BAD, f"unknown: {stores.dynamodb.reason}")
    if stores.as_of is None or stores.drift is None:
        if stores.unknown_since is not None:
            return Verdict(State.BAD, f"could not compare: {stores.unknown_reason}")
        return _not_compared(context)
    age = times.age(stores.as_of)
    when = f"compared {times.duration(age)} ago"
    if stores.unknown_since is not None:
        since = times.duration(times.age(stores.unknown_since))
        differed = f"{orders(stores.drift)} differed, {when}; " if stores.drift else ""
        detail = f"{differed}unknown for {since}: could not compare: {stores.unknown_reason}"
        return Verdict(State.BAD, detail)
    if stores.drift:
        return Verdict(State.BAD, f"{orders(stores.drift)} differed, {when}")
    if age > MAX_SILENCE:
        return Verdict(State.BAD, f"none, but only {when}")
    return Verdict(State.OK, f"none, {when}")


def _not_compared(context: Context) -> Verdict:
    """Return a warning for a new stack, and a failure if the worker is older than a few minutes."""
    uuid = context.stack.output("worker_mapping")
    made = context.clients.functions.get_event_source_mapping(UUID=uuid).get("LastModified")
    age = times.age(made) if made else None
    if age is not None and age > MAX_SILENCE:
        since = f"although the worker was deployed {times.duration(age)} ago"
        return Verdict(State.BAD, f"not compared yet, {since}")
    return Verdict(State.WARN, "not compared yet: ReconcileOrders does so every minute")


def newest_migration() -> int | None:
    """Return the number of the newest migration in these sources, None without them."""
    numbers = [int(path.name[:4]) for path in (REPOSITORY / "functions" / "migrations").glob("[0-9]*.sql")]
    return max(numbers, default=None)


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
    board = Kitchen.of(context.clients).board()
    late = [
        (board.now - order.created_at, order.number)
        for order in board.orders
        if order.state in TO_MAKE and order.created_at and board.now - order.created_at > limit
    ]
    if not late:
        return Verdict(State.OK, f"none waits for longer than {times.duration(limit)}")
    wait, oldest = max(late)
    text = f"{orders(len(late))} not ready after {times.duration(limit)}"
    return Verdict(State.WARN, f"{text}; the oldest, {oldest}, after {times.duration(wait)}")


def backup(context: Context) -> Verdict:
    """Check the age of the last complete copy; a new stack needs none yet."""
    try:
        last = copies.last_at(context.clients.s3, context.stack.output("backup_bucket"))
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
