"""Findings of `cafe doctor`, each with the command to type next; checks of the credentials and the API."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from cli import aws, status
from cli.doctor.context import Context, State, Verdict
from cli.doctor.stores import backup, database, drift, last_order, late_orders, max_wait, schema
from cli.doctor.worker import conflicts, dead_letters, queue, schedule, undelivered, worker
from cli.errors import CafeError, SetUpError
from cli.page import DomainError
from cli.page import check as page_check


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Result of a check, with its names."""

    name: str  # for programs
    title: str  # for people
    state: State
    detail: str
    next: str | None  # command to type, if there is something to do


def findings(context: Context) -> Iterator[Finding]:
    """Yield a finding per part of the stack as soon as it is known."""
    deploy, command = context.deploy, context.command
    # Name, title, check, and the command to type next unless the check has another one.
    checks: list[tuple[str, str, Callable[[Context], Verdict], str]] = [
        ("page", "Page", page, deploy),
        ("api", "API", api, deploy),
        ("queue", "Queue", queue, command("status --watch")),
        ("worker", "Worker", worker, command("worker resume")),
        ("schedule", "Schedule", schedule, deploy),
        ("dead_letters", "Dead letters", dead_letters, command("dlq list")),
        ("conflicts", "Conflicting ids", conflicts, command("dlq list")),
        ("undelivered", "Undelivered by SNS", undelivered, command("dlq list --queue subscription")),
        ("database", "Database", database, command("reconcile")),
        ("schema", "Schema", schema, deploy),
        ("drift", "Drift", drift, command("reconcile")),
        ("last_order", "Last order", last_order, command("verify")),
        ("backup", "Copy of orders", backup, command("backup list")),
    ]
    if max_wait(context.stack):
        checks.append(("late_orders", "Late orders", late_orders, command("orders list")))
    if context.stack.endpoint is None:
        found = _finding(context, "credentials", "Credentials", credentials, "aws sso login")
        yield found
        if found.state is State.BAD:
            return  # every other check would fail for the same reason
    for check in checks:
        yield _finding(context, *check)


def _finding(
    context: Context, name: str, title: str, check: Callable[[Context], Verdict], usual: str
) -> Finding:
    try:
        found = check(context)
    except SetUpError as error:
        found = Verdict(State.BAD, str(error), context.deploy)
    except (CafeError, BotoCoreError, ClientError) as error:
        cause = error.__cause__ if isinstance(error, CafeError) else error
        detail = str(error) if isinstance(error, CafeError) else aws.problem(error)
        found = Verdict(State.BAD, detail, context.deploy if aws.is_not_found(cause) else None)
    command = None if found.state is State.OK else found.next or usual
    return Finding(name=name, title=title, state=found.state, detail=found.detail, next=command)


def credentials(context: Context) -> Verdict:
    account = context.clients.account()
    if account != context.stack.account:
        text = f"of account {account}, and the stack is in account {context.stack.account}: set AWS_PROFILE"
        return Verdict(State.BAD, text, "aws configure list-profiles")
    return Verdict(State.OK, f"of account {account}")


def page(context: Context) -> Verdict:
    try:
        return Verdict(State.OK, page_check(context.stack, context.client))
    except DomainError as error:
        if "domain_records" not in context.stack.outputs:
            raise
        # The zone is not in Route 53, so a deploy cannot create the records.
        command = f"pulumi stack output domain_records --stack {context.stack.name}"
        return Verdict(State.BAD, str(error), command)


def api(context: Context) -> Verdict:
    """Read the order status, which later checks use."""
    document = status.read(context.stack, context.client, lambda: context.clients)
    found = context.status = status.parse(document)
    if found.degraded:
        text = f"available, but could not read {', '.join(found.degraded)}"
        return Verdict(State.WARN, text, context.command("status"))
    what = context.stack.output("api_url" if context.stack.is_public else "status_function")
    return Verdict(State.OK, f"{what} is available")
