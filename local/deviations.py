"""All differences between a local stack and one on AWS.

Each method replaces one value before it reaches the local services, and records the sentence that is printed
at start-up. All other values reach the services as the program set them.
"""

from __future__ import annotations

import json
import platform
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# File in a function's archive with the CA certificates that it trusts for the database.
DATABASE_AUTHORITIES = "rds-ca.pem"
# MiniStack passes at most this many messages of a queue to one invocation.
MAX_BATCH_SIZE = 10
PARTIQL_UPDATE = "dynamodb:PartiQLUpdate"

_API_HOST = r"([a-z0-9]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com"
_PAGE_HOST = r"([A-Za-z0-9]+)\.cloudfront\.net"
_SIGN_IN_HOST = r"[a-z0-9-]+\.auth\.[a-z0-9-]+\.amazoncognito\.com"

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
_BATCHABLE = frozenset({"sqs:SendMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"})

# Differences of every local stack.
ALWAYS = (
    f"Functions run on this machine's processor ({platform.machine()}), whatever architecture they name, "
    "and each in a few processes.",
    "Accepted but not enforced: security groups and endpoints, API Gateway's permission to invoke, "
    "the queue permissions of an event source, permissions to write logs, keys of KMS.",
    "Every user of this machine can act as the administrator, whose access key (test) is well known.",
    "Presigned URLs, WebSockets, HTTP/2 and CORS are not available: AWS calls need a signature in their "
    "headers, and browsers reach only this stack's own pages, API and sign-in, from those pages.",
    "Unless changed by --config, the order status is public and nothing is protected from deletion.",
    "The pages have no domain of their own, whatever the setting domain is.",
    "CloudFront neither compresses nor caches responses: each one comes from its function.",
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
        """Return the recorded sentences, without duplicates."""
        with self._lock:
            return list(self._noted)

    def database_address(self, product: str, host: str, port: int) -> tuple[str, int]:
        """Return the local address in place of RDS's host name and port."""
        self._note(f"The database is {product} at {host}:{port}, not MySQL 8.4 on RDS.")
        return host, port

    def runtime(self, name: str) -> str:
        """Record the version of Python that runs the functions, if it is not the one that they name."""
        if name != f"python{self._python}":
            self._note(f"Functions run on Python {self._python}, not on Lambda's runtime {name}.")
        return name

    def archive_replacements(self) -> dict[str, bytes]:
        """Return files that replace those of the same name in functions' archives."""
        self._note(
            f"{DATABASE_AUTHORITIES} in functions' archives holds the local database's CA, not Amazon's."
        )
        return {DATABASE_AUTHORITIES: self._authority.read_bytes()}

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Remove the choice of SQS's endpoint, and replace the page's address."""
        if "SQS_DUALSTACK" in variables:
            self._note(
                "Functions reach SQS at MiniStack's address, on AWS at its dual-stack endpoint over IPv6."
            )
        return {name: self.addresses(value) for name, value in variables.items() if name != "SQS_DUALSTACK"}

    def resource_policy(self, document: str) -> str:
        """Remove the statements that refuse plain HTTP from the policy of a topic, queue or bucket."""
        policy = json.loads(document)
        kept = [statement for statement in policy["Statement"] if not _refuses_plain_http(statement)]
        if len(kept) < len(policy["Statement"]):
            self._note("Topics, queues and buckets accept plain HTTP, which their policies refuse on AWS.")
        return json.dumps({**policy, "Statement": kept})

    def role_policy(self, document: str) -> str:
        """Allow the batch variants of allowed actions, which are separate actions for MiniStack only."""
        policy = json.loads(document)
        changed = [_with_batches(statement) for statement in policy["Statement"]]
        if changed != policy["Statement"]:
            self._note(
                "Roles also have the batch actions of SQS, which AWS covers by SendMessage and its like."
            )
        if any(PARTIQL_UPDATE in statement["Action"] for statement in changed):
            self._note(
                "Roles that may update items by PartiQL may do so in all tables, on AWS only in theirs."
            )
            batch = {"Effect": "Allow", "Action": ["dynamodb:BatchExecuteStatement"], "Resource": ["*"]}
            changed.append(batch)
        return json.dumps({**policy, "Statement": changed})

    def permissions_boundary(self) -> None:
        """Record that the permissions boundary does not exist here."""
        self._note("No permissions boundary limits the roles: the policy in the setting exists on AWS only.")

    def batch_size(self, size: int) -> int:
        """Cap an event source's batch size."""
        if size > MAX_BATCH_SIZE:
            self._note(
                f"A function receives at most {MAX_BATCH_SIZE} messages of a queue at once, not {size}."
            )
        return min(size, MAX_BATCH_SIZE)

    def budget(self) -> None:
        """Record that a budget sends no e-mails."""
        self._note("A budget sends no e-mails: what runs here costs nothing.")

    def alarms(self) -> None:
        """Record that alarms are never raised."""
        self._note("Alarms exist but are never raised: their metrics are not collected.")

    def dashboard(self) -> None:
        """Record that no console shows the dashboard."""
        self._note("The dashboard exists but cannot be opened: its URL is that of AWS's console.")

    def viewer_protocol_policy(self, policy: str) -> str:
        """Allow plain HTTP, since the page has no certificate."""
        if policy in ("redirect-to-https", "https-only"):
            self._note("The page is served over plain HTTP.")
            return "allow-all"
        return policy

    def api_origin(self, domain: str, path: str) -> dict[str, Any] | None:
        """Return the local origin of an API Gateway API; None for any other domain."""
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
        """Record that a user exists who was not invited."""
        self._note(f"{user} may sign in without an invitation, and no e-mails are sent.")
        self._note("Anybody may sign up through the user pool's API; on AWS, users must be invited.")

    def addresses(self, value: Any) -> Any:
        """Replace the AWS URLs of the page, the API and the sign-in in a text by local ones."""
        if not isinstance(value, str):
            return value
        replacements = {
            _PAGE_HOST: f"http://\\1.cloudfront.localhost:{self._port}",
            _API_HOST: f"http://127.0.0.1:{self._port}/_aws/execute-api/\\1",
            _SIGN_IN_HOST: f"http://127.0.0.1:{self._port}",
        }
        for host, local in replacements.items():
            value = re.sub(f"https://{host}", local, value)
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
