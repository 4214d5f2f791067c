"""MiniStack with a guard at its door; runs in MiniStack's own virtual environment.

MiniStack answers the web pages of any site, and takes its well-known administrator at their word: a page that
somebody looks at on this machine could have code of its own run here, as a function. So what a browser sends
is let in only where the cafe has a door for browsers, and never as a caller of AWS.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]

PAGES = ".cloudfront.localhost"
DOORS = ("/_aws/execute-api/", "/oauth2/", "/login", "/logout")
REFUSED = b'{"message": "This address of the local stack is not for browsers."}'


def lets_in(path: str, query: str, headers: Mapping[str, str]) -> bool:
    """Whether a request, with its headers' names in lower case, may reach MiniStack."""
    host = headers.get("host", "").lower()
    name = host.rpartition(":")[0] or host
    if name not in ("127.0.0.1", "localhost") and not name.endswith(".localhost"):
        return False  # The name of a site that leads to this machine, so that its pages count as ours.
    # A browser says on whose behalf it asks; `none` is a person who typed the address.
    if "origin" not in headers and headers.get("sec-fetch-site", "none") == "none":
        return True
    signs = headers.get("authorization", "").startswith("AWS") or any(
        word in query.lower() for word in ("x-amz-", "awsaccesskeyid")
    )
    return not signs and (name.endswith(PAGES) or path.startswith(DOORS))


def guarded(application: Application) -> Application:
    """Refuse what is not let in, and pass on the rest."""

    async def answer(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or lets_in(
            scope["path"],
            scope["query_string"].decode("latin-1"),
            {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]},
        ):
            await application(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": REFUSED})

    return answer


def main() -> None:
    """Run MiniStack until a signal ends it."""
    # Its own virtual environment has it, and the one that checks types does not.
    ministack: Any = importlib.import_module("ministack.app")
    ministack.app = guarded(ministack.app)
    ministack.main()


if __name__ == "__main__":
    main()
