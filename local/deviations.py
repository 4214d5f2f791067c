"""Everything in which a local stack differs from one on AWS.

Each difference is a function that changes one value on its way to the local services, and notes the
sentence about it that is shown at start-up. What this file does not change reaches the services as the
program wrote it.
"""

from __future__ import annotations

import json
import platform
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# In a function's archive: the authorities that it trusts for the database's certificate.
DATABASE_AUTHORITIES = "rds-ca.pem"
# MiniStack hands a function at most this many messages of a queue at once.
MAX_BATCH_SIZE = 10
PARTIQL_UPDATE = "dynamodb:PartiQLUpdate"

_API_HOST = r"([a-z0-9]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com"
_PAGE_HOST = r"([A-Za-z0-9]+)\.cloudfront\.net"
_SIGN_IN_HOST = r"[a-z0-9-]+\.auth\.[a-z0-9-]+\.amazoncognito\.com"

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
_BATCHABLE = frozenset({"sqs:SendMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"})

# True for every local stack: what MiniStack accepts without acting on it.
ALWAYS = (
    f"Functions run on this machine's processor ({platform.machine()}), whatever architecture they name.",
    "Accepted but not enforced: security groups and endpoints, API Gateway's permission to invoke, "
    "the queue permissions of an event source, permissions to write logs, keys of KMS.",
    "Whoever is logged in on this machine can act as the administrator, whose key (test) is well known.",
    "Presigned URLs, WebSockets, HTTP/2 and CORS are not available: AWS calls need a signature in their "
    "headers, and browsers reach only this stack's own pages, API and sign-in, from those pages.",
    "Unless --config says otherwise, everybody may read the order status, and no data is protected.",
    "Answers are neither compressed nor kept by CloudFront: each one comes from its function.",
)


class Deviations:
    """The differences of one run."""

    def __init__(self, *, gateway_port: int, authority: Path, python: str) -> None:
        self._port = gateway_port
        self._python = python
        self._authority = authority
        self._lock = threading.Lock()
        self._noted = dict.fromkeys(ALWAYS)

    @property
    def sentences(self) -> list[str]:
        """What differs, a sentence each, without repetitions."""
        with self._lock:
            return list(self._noted)

    def database_address(self, product: str, host: str, port: int) -> tuple[str, int]:
        """Say where the database is, instead of RDS's host name and port."""
        self._note(f"The database is {product} at {host}:{port}, not MySQL 8.4 on RDS.")
        return host, port

    def runtime(self, name: str) -> str:
        """Say which version of Python runs the functions, unless it is the one that they name."""
        if name != f"python{self._python}":
            self._note(f"Functions run on Python {self._python}, not on Lambda's runtime {name}.")
        return name

    def archive_replacements(self) -> dict[str, bytes]:
        """Return the files in functions' archives that get another content."""
        self._note(
            f"{DATABASE_AUTHORITIES} in functions' archives holds the local database's CA, not Amazon's."
        )
        return {DATABASE_AUTHORITIES: self._authority.read_bytes()}

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Leave out which of SQS's names a function uses, and write the page's local address."""
        if "SQS_DUALSTACK" in variables:
            self._note("Functions reach SQS at MiniStack's address: on AWS over IPv6, by another name.")
        return {name: self.addresses(value) for name, value in variables.items() if name != "SQS_DUALSTACK"}

    def resource_policy(self, document: str) -> str:
        """Drop from a topic's, queue's or bucket's policy what refuses requests over plain HTTP."""
        policy = json.loads(document)
        kept = [statement for statement in policy["Statement"] if not _refuses_plain_http(statement)]
        if len(kept) < len(policy["Statement"]):
            self._note("Topics, queues and buckets take requests over HTTP: on AWS their policies refuse it.")
        return json.dumps({**policy, "Statement": kept})

    def role_policy(self, document: str) -> str:
        """Allow the batches of what is allowed, which are actions of their own for MiniStack alone."""
        policy = json.loads(document)
        changed = [_with_batches(statement) for statement in policy["Statement"]]
        if changed != policy["Statement"]:
            self._note(
                "Roles may send to queues, delete and hide messages in batches: AWS does not ask apart."
            )
        if any(PARTIQL_UPDATE in statement["Action"] for statement in changed):
            self._note("Roles that may update items with PartiQL may use it on all tables: on AWS on theirs.")
            batch = {"Effect": "Allow", "Action": ["dynamodb:BatchExecuteStatement"], "Resource": ["*"]}
            changed.append(batch)
        return json.dumps({**policy, "Statement": changed})

    def permissions_boundary(self) -> None:
        """Note that no boundary limits the roles: the policy is in an account on AWS."""
        self._note("No permissions boundary limits the roles: the policy that the setting names is on AWS.")

    def batch_size(self, size: int) -> int:
        """Cap an event source's batch size."""
        if size > MAX_BATCH_SIZE:
            self._note(f"A function gets at most {MAX_BATCH_SIZE} messages of a queue at once, not {size}.")
        return min(size, MAX_BATCH_SIZE)

    def budget(self) -> None:
        """Say that a budget sends nothing."""
        self._note("A budget sends no e-mails: what runs here costs nothing.")

    def alarms(self) -> None:
        """Say that an alarm is there and stays silent."""
        self._note("Alarms are there, but nobody measures what they watch: they stay silent.")

    def viewer_protocol_policy(self, policy: str) -> str:
        """Let the page be read over HTTP: there is no certificate for it."""
        if policy in ("redirect-to-https", "https-only"):
            self._note("The page is served over HTTP: CloudFront's viewers may use any protocol.")
            return "allow-all"
        return policy

    def api_origin(self, domain: str, path: str) -> dict[str, Any] | None:
        """Return the origin in place of an API of API Gateway's, None for any other domain."""
        host = re.fullmatch(_API_HOST, domain)
        if host is None:
            return None
        self._note(f"CloudFront reaches the API over HTTP at localhost:{self._port}, not at its AWS name.")
        return {
            "DomainName": "localhost",
            "OriginPath": f"/_aws/execute-api/{host[1]}{path}",
            "CustomOriginConfig": {
                "HTTPPort": self._port,
                "HTTPSPort": 443,
                "OriginProtocolPolicy": "http-only",
            },
        }

    def visitor(self, user: str) -> None:
        """Say that somebody may sign in whom the program did not invite."""
        self._note(f"{user} may sign in without an invitation, and nobody gets e-mails.")
        self._note(
            "Anybody may sign up with the user pool's API: on AWS only an invitation makes an account."
        )

    def addresses(self, value: Any) -> Any:
        """Return a text with the local URLs of the page, the API and the sign-in in place of those on AWS."""
        if not isinstance(value, str):
            return value
        places = {
            _PAGE_HOST: f"http://\\1.cloudfront.localhost:{self._port}",
            _API_HOST: f"http://127.0.0.1:{self._port}/_aws/execute-api/\\1",
            _SIGN_IN_HOST: f"http://127.0.0.1:{self._port}",
        }
        for host, here in places.items():
            value = re.sub(f"https://{host}", here, value)
        return value

    def _note(self, sentence: str) -> None:
        with self._lock:
            self._noted[sentence] = None


def _with_batches(statement: dict[str, Any]) -> dict[str, Any]:
    named = statement["Action"]
    actions = [named] if isinstance(named, str) else list(named)
    batches = [f"{action}Batch" for action in actions if action in _BATCHABLE]
    return {**statement, "Action": [*actions, *batches]} if batches else statement


def _refuses_plain_http(statement: dict[str, Any]) -> bool:
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    return statement["Effect"] == "Deny" and statement.get("Condition") == condition
