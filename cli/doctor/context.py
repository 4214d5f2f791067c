"""Context of the checks: a stack's clients, values that several checks read, and the next commands."""

import threading
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

import httpx

from cli import aws, queues
from cli.dlq.dead_letters import DeadLetters
from cli.dlq.states import State as LetterState
from cli.dlq.states import states
from cli.error_codes import DENIED, LOCKED, SCHEMA, meaning_of
from cli.errors import CafeError
from cli.reconciler import CheckResponse, Reconciler
from cli.restore.record import Record, Records
from cli.stack import LOCAL, Stack
from cli.status import OrderStatus

MAX_SILENCE = timedelta(minutes=5)  # of the reconciler, which runs every minute
ACCESS_DENIED = "1045"  # MySQL's code for a refused login
STORES = ("DynamoDB: ", "Secrets Manager: ")  # prefixes of reasons that concern all orders
MAX_LETTERS = 50  # dead letters that are read


class State(StrEnum):
    """Result of a check."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


class Verdict(NamedTuple):
    """State and detail of a part; `next` replaces the check's usual next command."""

    state: State
    detail: str
    next: str | None = None


@dataclass
class Context:
    """A stack that is checked."""

    stack: Stack
    clients: aws.Clients
    client: httpx.Client
    status: OrderStatus | None = None  # until the check of the API has read it

    def command(self, words: str) -> str:
        """Return a command of `cafe` for this stack."""
        return f"cafe {words}" if self.stack.name == LOCAL else f"cafe {words} --stack {self.stack.name}"

    @property
    def deploy(self) -> str:
        """Return the command that deploys the stack again; a refresh makes it create deleted resources."""
        if self.stack.name == LOCAL:
            return "cafe local stop && make local"
        return f"make deploy STACK={self.stack.name} ARGS=--refresh"

    @cached_property
    def _check(self) -> CheckResponse | CafeError:
        try:
            return Reconciler.of(self.clients).check()
        except CafeError as error:
            return error

    def stores(self) -> CheckResponse:
        """Return the state of both stores as ReconcileOrders reads it; raises CafeError."""
        if isinstance(self._check, CafeError):
            raise self._check
        return self._check

    @cached_property
    def restore(self) -> Record | None:
        """Return the restore that is under way."""
        return Records(self.clients.dynamodb, self.stack).load()

    @cached_property
    def dead_lettered(self) -> int:
        """Return the number of messages in OrderDLQ."""
        return queues.depth(self.clients.sqs, self.stack.output("dead_letter_queue_url")).total

    @cached_property
    def letters(self) -> list[LetterState]:
        """Return the states of the first messages in OrderDLQ."""
        if not self.dead_lettered:
            return []
        letters = DeadLetters.of(self.clients, "dead_letter_queue_url", threading.Event())
        return list(states(self.clients, letters.listed(MAX_LETTERS).messages).values())

    def next_for_store(self, reason: str) -> str:
        """Return the command for a store that refused an order."""
        meaning = meaning_of(reason)
        if meaning in {DENIED, SCHEMA}:
            return self.deploy
        is_about_one_order = "ValidationException" in reason or not reason.startswith(STORES)
        if meaning is None and is_about_one_order:
            return self.command("dlq list")
        database = self.stores().database
        if database.reachable and not database.refuses_writes:
            return self.command("status --watch")  # orders are retried within minutes
        return self.next_for_database(reason)

    def next_for_database(self, reason: str | None) -> str:
        """Return the command: on a refused login, replace the user's password; else RDS's events."""
        meaning = meaning_of(str(reason))
        if meaning in {DENIED, SCHEMA}:
            return self.deploy
        if meaning == LOCKED:
            return "SHOW FULL PROCESSLIST (see FailedOrders in docs/runbook.md)"
        if self.stack.name == LOCAL:
            return "make chaos ARGS=--repair"
        if ACCESS_DENIED in str(reason):
            return f"make deploy STACK={self.stack.name} ARGS='--replace **application-user'"
        where = f"--region {self.stack.region}"
        return f"aws rds describe-events --source-type db-instance --duration 120 {where}"
