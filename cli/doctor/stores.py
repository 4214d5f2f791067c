"""Checks of the database and of DynamoDB, which ReconcileOrders reads in the database's network."""

from cli import times
from cli.doctor.context import SILENT, Context, State, Verdict
from cli.error_codes import explained
from cli.plurals import orders
from cli.stack import REPOSITORY


def database(context: Context) -> Verdict:
    found = context.known().database
    if not found.reachable:
        reason = found.reason or "no reason is known"
        return State.BAD, f"does not answer: {explained(reason)}", context.next_for_database(reason)
    if found.refuses_writes:
        text = f"answers, but takes no orders: {explained(found.refuses_writes)}"
        return State.BAD, text, context.next_for_database(found.refuses_writes)
    return State.OK, "answers", None


def schema(context: Context) -> Verdict:
    found = context.known().database
    version, wanted = found.version, newest_migration()
    if version is None:
        command = context.deploy if found.reachable else context.next_for_database(found.reason)
        return State.WARN, "not known", command
    if wanted and version != wanted:
        return State.BAD, f"version {version}, and these sources need {wanted}", context.deploy
    if (seconds := found.narrow_for) is not None:
        detail = (
            f"version {version}; ids end at 2,147,483,647 and times in 2038 until the table is widened, "
            f"which locks it for about {times.duration(max(1, seconds))}: do it in a quiet hour"
        )
        return State.WARN, detail, context.command("database widen")
    return State.OK, f"version {version}", None


def drift(context: Context) -> Verdict:
    known = context.known()
    if not known.dynamodb.reachable:
        return State.BAD, f"not known: {known.dynamodb.reason}", context.command("reconcile")
    if known.as_of is None or known.drift is None:
        if known.unknown_since is not None:
            return State.BAD, f"could not compare: {known.unknown_reason}", context.command("reconcile")
        return _not_compared(context)
    ago = times.ago(known.as_of)
    when = f"compared {times.duration(ago.total_seconds())} ago"
    if known.unknown_since is not None:
        since = times.duration(times.ago(known.unknown_since).total_seconds())
        differed = f"{orders(known.drift)} differed, {when}; " if known.drift else ""
        detail = f"{differed}unknown for {since}: could not compare: {known.unknown_reason}"
        return State.BAD, detail, context.command("reconcile")
    if known.drift:
        return State.BAD, f"{orders(known.drift)} differed, {when}", context.command("reconcile")
    if ago > SILENT:
        return State.BAD, f"none, but only {when}", context.command("reconcile")
    return State.OK, f"none, {when}", None


def _not_compared(context: Context) -> Verdict:
    """Return a warning for a new stack, and a failure once the worker has been there for long enough."""
    uuid = context.stack.output("worker_mapping")
    made = context.clients.functions.get_event_source_mapping(UUID=uuid).get("LastModified")
    age = times.ago(made) if made else None
    if age is not None and age > SILENT:
        since = f"although the worker takes orders for {times.duration(age.total_seconds())}"
        return State.BAD, f"not compared yet, {since}", context.command("reconcile")
    text = "not compared yet: ReconcileOrders does so every minute"
    return State.WARN, text, context.command("reconcile")


def newest_migration() -> int | None:
    """Return the number of the newest migration in these sources, None if they are not here."""
    numbers = [int(path.name[:4]) for path in (REPOSITORY / "functions" / "migrations").glob("[0-9]*.sql")]
    return max(numbers, default=None)
