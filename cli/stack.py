"""A stack as the command sees it: its outputs, and for the local one how to reach it."""

import json
import os
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
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
    """Where the local stack's database listens, and who may log in."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    name: str
    ca: str  # path of the certificate with which the server's is verified


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A deployed stack.

    Attributes
    ----------
    endpoint
        Base URL of the stand-in for AWS; `None` on AWS itself.
    database
        Only the local stack's database can be reached from here.
    orders_api_key
        What `POST /orders` wants, if it wants any.
    """

    name: str
    outputs: Mapping[str, str]
    region: str
    endpoint: str | None = None
    database: Database | None = None
    orders_api_key: str | None = field(default=None, repr=False)

    @property
    def is_public(self) -> bool:
        """Whether anybody may read the order status over HTTP."""
        return self.outputs.get("dashboard_access", PUBLIC) == PUBLIC

    def output(self, name: str) -> str:
        """Return the output `name`, or raise a `SetUpError` that says how to make the stack have it."""
        value = self.outputs.get(name)
        if not value:
            raise SetUpError(f"Stack {self.name} has no output {name}: {_renew(self.name)}.")
        return value


def load(name: str, directory: Path | None = None) -> Stack:
    """Read the outputs of the stack `name`.

    Parameters
    ----------
    name
        `local`, or the name of a Pulumi stack of this project.
    directory
        Where the local stack keeps its files; `.local` in the repository when missing.

    Raises
    ------
    SetUpError
        No such stack, nothing running, or the Pulumi CLI is missing.
    """
    if name == LOCAL:
        return _local_stack(directory or REPOSITORY / ".local")
    if not name.strip():  # Pulumi would take the stack that is selected.
        raise SetUpError("The name of the stack is empty: give `--stack local`, or one of `pulumi stack ls`.")
    return _pulumi_stack(name)


def _renew(name: str) -> str:
    if name == LOCAL:
        return "stop it with `cafe local stop` and start it again with `make local`"
    return f"deploy it with `make deploy STACK={name}`"


def _local_stack(directory: Path) -> Stack:
    path = directory / "stack.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        outputs = _strings(document["outputs"])
        stack = Stack(
            name=LOCAL,
            orders_api_key=outputs.pop(ORDERS_API_KEY, None),
            outputs=outputs,
            region=document["region"],
            endpoint=document["endpoint"],
            database=_database(document["database"]),
        )
    except FileNotFoundError:
        raise SetUpError(
            f"No local stack is running (there is no {path}): start one with `make local`."
        ) from None
    except OSError as problem:
        raise SetUpError(f"{path} cannot be read ({problem.strerror}).") from None
    except (ValueError, KeyError, TypeError):
        raise SetUpError(f"{path} is not what the local mode writes: {_renew(LOCAL)}.") from None
    _require_listener(str(stack.endpoint), path)
    return stack


def _database(entry: Any) -> Database:
    return Database(
        host=entry["host"],
        port=int(entry["port"]),
        user=entry["user"],
        password=entry["password"],
        name=entry["name"],
        # The stack's process may read paths with another encoding than this one.
        ca=os.fsdecode(entry["ca"].encode("utf-8", "surrogateescape")),
    )


def _require_listener(endpoint: str, path: Path) -> None:
    """A killed local stack leaves its file behind; say so here rather than after many retries."""
    address = urlsplit(endpoint)
    try:
        socket.create_connection((address.hostname or "127.0.0.1", address.port or 80), timeout=5).close()
    except OSError:
        raise SetUpError(
            f"The local stack of {path} does not run any more (nothing answers at {endpoint}): "
            "start one with `make local`."
        ) from None


def _pulumi_stack(name: str) -> Stack:
    outputs = _strings(_pulumi_outputs(name))
    try:
        region = outputs["topic_arn"].split(":")[3]
    except (KeyError, IndexError):
        raise SetUpError(f"Stack {name} has no output topic_arn: {_renew(name)}.") from None
    key = outputs.pop(ORDERS_API_KEY, None)
    return Stack(name=name, outputs=outputs, region=region, orders_api_key=key)


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
            f"Stack {name} is read by the Pulumi CLI, which is not installed: {PULUMI_INSTALL_PAGE} says how."
        ) from None
    except subprocess.TimeoutExpired:
        raise SetUpError(f"`{' '.join(command)}` gave no answer in 120 seconds.") from None
    if run.returncode != 0:
        raise SetUpError(_pulumi_problem(name, run.stderr))
    try:
        return json.loads(run.stdout)
    except ValueError:
        raise SetUpError(f"`{' '.join(command)}` did not print JSON.") from None


def _pulumi_problem(name: str, printed: str) -> str:
    if "no stack named" in printed:
        return (
            f"There is no stack named {name}: `pulumi stack ls` lists those that exist, "
            f"`make deploy STACK={name}` makes this one."
        )
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    reason = next((line for line in lines if line.startswith("error:")), lines[-1] if lines else "no reason")
    return f"Pulumi cannot read stack {name}: {reason.removeprefix('error:').strip()}"


def _strings(outputs: Any) -> dict[str, str]:
    if not isinstance(outputs, dict):
        raise TypeError
    return {str(name): str(value) for name, value in outputs.items() if value is not None}
