"""Checks of the credentials, of the pages and of the API."""

from cli import status
from cli.doctor.context import Context, State, Verdict
from cli.page import DomainError, check


def credentials(context: Context) -> Verdict:
    account = context.clients.account()
    if account != context.stack.account:
        text = f"of account {account}, and the stack is in account {context.stack.account}: set AWS_PROFILE"
        return Verdict(State.BAD, text, "aws configure list-profiles")
    return Verdict(State.OK, f"of account {account}")


def page(context: Context) -> Verdict:
    try:
        return Verdict(State.OK, check(context.stack, context.client))
    except DomainError as error:
        if "domain_records" not in context.stack.outputs:
            raise
        # The zone is not in Route 53, so a deploy cannot create the records.
        return Verdict(
            State.BAD, str(error), f"pulumi stack output domain_records --stack {context.stack.name}"
        )


def api(context: Context) -> Verdict:
    """Read the order status, which later checks use."""
    read = status.reader(context.stack, context.client, lambda: context.clients)
    found = context.status = status.parse(read())
    if found.degraded:
        text = f"available, but could not read {', '.join(found.degraded)}"
        return Verdict(State.WARN, text, context.command("status"))
    what = context.stack.output("api_url" if context.stack.is_public else "status_function")
    return Verdict(State.OK, f"{what} is available")
