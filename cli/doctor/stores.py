"""Checks of the database and of DynamoDB, which ReconcileOrders reads."""

from cli import times
from cli.doctor.context import MAX_SILENCE, Context, State, Verdict
from cli.error_codes import explain
from cli.plurals import orders
from cli.stack import REPOSITORY


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
