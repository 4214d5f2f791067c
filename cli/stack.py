"""A stack: its outputs, and for the local one its addresses."""

import json
import os
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cli.errors import SetUpError

REPOSITORY = Path(__file__).resolve().parent.parent
LOCAL = "local"
PUBLIC, NETWORKS = "public", "cidrs"  # values of the output dashboard_access
ORDERS_API_KEY = "orders_api_key"  # the one output that is a secret
PULUMI_INSTALL_PAGE = "https://www.pulumi.com/docs/install/"


@dataclass(frozen=True, kw_only=True)
class Database:
    """Address and login of the local stack's database."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    name: str
    ca: str  # path of the certificate with which the server's is verified


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A deployed stack."""

    name: str
    outputs: Mapping[str, str]
    region: str
    endpoint: str | None = None  # base URL of the local stack's AWS
    database: Database | None = None  # None on AWS, where it is in a private network
    orders_api_key: str | None = field(default=None, repr=False)

    @property
    def is_public(self) -> bool:
        """Return whether the order status API is public."""
        return self.outputs.get("dashboard_access", PUBLIC) == PUBLIC

    @property
    def account(self) -> str:
        """Return the number of its AWS account."""
        return self.output("topic_arn").split(":")[4]

    def output(self, name: str) -> str:
        """Return an output; raise `SetUpError` if the stack lacks it."""
        value = self.outputs.get(name)
        if not value:
            raise SetUpError(f"Stack {self.name} has no output {name}: {_renew(self.name)}.")
        return value


def load(name: str, directory: Path | None = None) -> Stack:
    """Read the outputs of a stack: the local one, in a directory, or a Pulumi stack of this project.

    Raises SetUpError if the stack does not exist or does not run, or the Pulumi CLI is missing.
    """
    if name == LOCAL:
        return _local_stack(directory or REPOSITORY / ".local")
    if not name.strip():  # Pulumi would use the selected stack
        raise SetUpError("The name of the stack is empty: give `--stack local`, or one of `pulumi stack ls`.")
    outputs = _strings(_pulumi_outputs(name))
    try:
        region = outputs["topic_arn"].split(":")[3]
    except (KeyError, IndexError):
        raise SetUpError(f"Stack {name} has no output topic_arn: {_renew(name)}.") from None
    key = outputs.pop(ORDERS_API_KEY, None)
    return Stack(name=name, outputs=outputs, region=region, orders_api_key=key)


def _renew(name: str) -> str:
    if name == LOCAL:
        return "stop it with `cafe local stop` and start it again with `make local`"
    return f"deploy it with `make deploy STACK={name}`"


def _local_stack(directory: Path) -> Stack:
    path = directory / "stack.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        outputs = _strings(document["outputs"])
        database = {each.name: document["database"][each.name] for each in fields(Database)}
        # The stack's process may have another file system encoding.
        database["ca"] = os.fsdecode(database["ca"].encode("utf-8", "surrogateescape"))
        stack = Stack(
            name=LOCAL,
            orders_api_key=outputs.pop(ORDERS_API_KEY, None),
            outputs=outputs,
            region=document["region"],
            endpoint=document["endpoint"],
            database=Database(**database),
        )
    except FileNotFoundError:
        raise SetUpError(
            f"No local stack is running ({path} does not exist): start one with `make local`."
        ) from None
    except OSError as problem:
        raise SetUpError(f"{path} cannot be read ({problem.strerror}).") from None
    except (ValueError, KeyError, TypeError):
        raise SetUpError(f"{path} is invalid: {_renew(LOCAL)}.") from None
    _require_listener(str(stack.endpoint), path)
    return stack


def _require_listener(endpoint: str, path: Path) -> None:
    """Raise `SetUpError` if a killed local stack left its file behind, before requests are retried."""
    address = urlsplit(endpoint)
    try:
        socket.create_connection((address.hostname or "127.0.0.1", address.port or 80), timeout=5).close()
    except OSError:
        raise SetUpError(
            f"The local stack of {path} has ended ({endpoint} is not reachable): start one with `make local`."
        ) from None


def _pulumi_outputs(name: str) -> Any:
    command = ["pulumi", "stack", "output", "--json", "--show-secrets", "--non-interactive", "--stack", name]
    try:
        run = subprocess.run(
            command,
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    except FileNotFoundError:
        raise SetUpError(
            f"Reading stack {name} needs the Pulumi CLI, which is not installed: {PULUMI_INSTALL_PAGE}"
        ) from None
    except subprocess.TimeoutExpired:
        raise SetUpError(f"`{' '.join(command)}` did not end within 120 seconds.") from None
    if run.returncode != 0:
        raise SetUpError(_pulumi_problem(name, run.stderr))
    try:
        return json.loads(run.stdout)
    except ValueError:
        raise SetUpError(f"`{' '.join(command)}` did not print JSON.") from None


def _pulumi_problem(name: str, printed: str) -> str:
    if "no stack named" in printed:
        return (
            f"Stack {name} does not exist: `pulumi stack ls` lists the stacks, "
            f"`make deploy STACK={name}` creates this one."
        )
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    reason = next((line for line in lines if line.startswith("error:")), lines[-1] if lines else "no reason")
    return f"Pulumi cannot read stack {name}: {reason.removeprefix('error:').strip()}"


def _strings(outputs: Any) -> dict[str, str]:
    if not isinstance(outputs, dict):
        raise TypeError
    return {str(name): str(value) for name, value in outputs.items() if value is not None}
