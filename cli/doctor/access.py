"""Checks of the credentials, of the pages and of the API."""

import httpx

from cli import http, page_settings, status
from cli.doctor.context import Context, State, Verdict
from cli.verify import TITLE, refuses_this_network


def credentials(context: Context) -> Verdict:
    account = context.clients.account()
    if account != context.stack.account:
        text = f"of account {account}, and the stack is in account {context.stack.account}: set AWS_PROFILE"
        return Verdict(State.BAD, text, "aws configure list-profiles")
    return Verdict(State.OK, f"of account {account}")


def page(context: Context) -> Verdict:
    url = context.stack.output("page_url")
    try:
        response = context.client.get(url, follow_redirects=True)
    except httpx.HTTPError as error:
        return Verdict(State.BAD, f"{url} is not reachable: {http.problem(error)}")
    if refuses_this_network(context.stack, response):
        return Verdict(State.OK, f"{url} refuses this machine's network, which is not in dashboardCidrs")
    if response.status_code != httpx.codes.OK or TITLE not in response.text:
        return Verdict(State.BAD, f"{url} returns {http.message_of(response)}, not the page")
    if wrong := page_settings.problem(context.client, url):
        return Verdict(State.BAD, wrong)
    return Verdict(State.OK, f"{url} is served")


def api(context: Context) -> Verdict:
    """Read the order status, which later checks use."""
    read = status.reader(context.stack, context.client, lambda: context.clients)
    found = context.status = status.parse(read())
    if found.degraded:
        text = f"available, but could not read {', '.join(found.degraded)}"
        return Verdict(State.WARN, text, context.command("status"))
    what = context.stack.output("api_url" if context.stack.is_public else "status_function")
    return Verdict(State.OK, f"{what} is available")
