"""Check of the order-status page, and of the pages' settings in config.js.

The pages replace invalid settings by defaults (web/settings.js), without an error message.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from cli import http
from cli.errors import OperationError
from cli.stack import NETWORKS, Stack
from infra import languages

TITLE = "<title>Cafe orders</title>"
_SCRIPT = re.compile(r"\s*export const settings = (\{.*\});\s*", re.DOTALL)


def _is_sign_in(value: Any) -> bool:
    if value is None:
        return True
    return urlsplit(value["domain"]).scheme in {"http", "https"} and all(
        isinstance(value[key], str) and value[key] for key in ("clientId", "scope")
    )


def _is_minutes(value: Any) -> bool:
    return type(value) is int and value > 0


# The checks of web/settings.js; an exception means invalid.
USABLE: Mapping[str, Callable[[Any], bool]] = {
    "apiBase": lambda value: re.fullmatch(r"/[A-Za-z0-9_-]+", value) is not None,
    "timeZone": lambda value: value in languages.time_zones(),
    "locale": languages.is_locale,
    "signIn": _is_sign_in,
    "staffSignIn": _is_sign_in,
    "warnMinutes": _is_minutes,
    "overdueMinutes": _is_minutes,
    "ordersApiKey": lambda value: isinstance(value, bool),
}


class DomainError(OperationError):
    """The page is served at cloudfront.net, but not at its domain."""


def check(stack: Stack, client: httpx.Client) -> str:
    """Return that the page is served, or refuses this network; raise OperationError for anything else."""
    url, cloudfront = stack.output("page_url"), stack.outputs.get("cloudfront_url")
    try:
        return _check(stack, client, url)
    except OperationError as error:
        if cloudfront in (None, url):
            raise
        try:
            _check(stack, client, str(cloudfront))
        except OperationError:
            raise error from None
        records = f"check the DNS records of {urlsplit(url).hostname}"
        raise DomainError(
            f"{error} {cloudfront} works: {records} (docs/runbook.md, The domain does not work)."
        ) from error


def _check(stack: Stack, client: httpx.Client, url: str) -> str:
    response = _get(client, url)
    if response.status_code == httpx.codes.FORBIDDEN and stack.outputs.get("dashboard_access") == NETWORKS:
        return f"{url} refuses this machine's network, which is not in dashboardCidrs"
    kind = response.headers.get("Content-Type", "no type")
    if response.status_code != httpx.codes.OK or not kind.startswith("text/html"):
        raise OperationError(f"{url} returned {response.status_code} with {kind}, not 200 with text/html.")
    if TITLE not in response.text:
        raise OperationError(f"{url} is not the order status page: it lacks {TITLE}.")
    if wrong := settings_problem(client, url):
        raise OperationError(wrong)
    return f"{url} is served"


def settings_problem(client: httpx.Client, page_url: str) -> str | None:
    """Return a sentence about the settings that the pages cannot use, None without any."""
    url = urljoin(page_url, "config.js")
    response = _get(client, url)
    found = _SCRIPT.fullmatch(response.text)
    if response.status_code != httpx.codes.OK or found is None:
        return f"{url} returns {response.status_code} without the pages' settings: they use defaults."
    try:
        settings = json.loads(found[1])
    except (ValueError, RecursionError):
        return f"{url} has no valid JSON: the pages use defaults."
    wrong = [f"{name} {settings.get(name)!r:.60}" for name in USABLE if not _is_usable(settings, name)]
    return f"In {url} the pages cannot use {', '.join(wrong)}: they use defaults." if wrong else None


def _get(client: httpx.Client, url: str) -> httpx.Response:
    try:
        return client.get(url, follow_redirects=True)
    except httpx.HTTPError as error:
        raise OperationError(f"{url} is not reachable: {http.problem(error)}.") from error


def _is_usable(settings: Mapping[str, Any], name: str) -> bool:
    try:
        return USABLE[name](settings[name])
    except (KeyError, TypeError, ValueError, AttributeError):
        return False
