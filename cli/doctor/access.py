"""Checks of the credentials and of what the stack serves: the pages and the API."""

import httpx

from cli import http, page_settings, status
from cli.doctor.context import Context, State, Verdict
from cli.verify import TITLE, is_shut_to_this_network


def credentials(context: Context) -> Verdict:
    mine = context.clients.sts.get_caller_identity()["Account"]
    account = context.stack.output("topic_arn").split(":")[4]
    if mine != account:
        text = f"they are of account {mine}, and the stack is in account {account}: set AWS_PROFILE"
        return State.BAD, text, "aws configure list-profiles"
    return State.OK, f"of account {mine}", None


def page(context: Context) -> Verdict:
    url = context.stack.output("page_url")
    try:
        response = context.client.get(url, follow_redirects=True)
    except httpx.HTTPError as error:
        return State.BAD, f"{url} was not reached: {http.problem(error)}", context.deploy
    if is_shut_to_this_network(context.stack, response):
        return State.OK, f"{url} is shut to this machine's network, as dashboardCidrs says", None
    if response.status_code != httpx.codes.OK or TITLE not in response.text:
        return State.BAD, f"{url} answers {http.message_of(response)}, not with the page", context.deploy
    if wrong := page_settings.problem(context.client, url):
        return State.BAD, wrong, context.deploy
    return State.OK, f"{url} is served", None


def api(context: Context) -> Verdict:
    """Read the order status, which later checks use."""
    found = context.status = status.parse(status.source(context.stack, context.client, context.clients)())
    if found.degraded:
        text = f"it answers, but could not read {', '.join(found.degraded)}"
        return State.WARN, text, context.command("status")
    what = context.stack.output("api_url" if context.stack.is_public else "status_function")
    return State.OK, f"{what} answers", None
