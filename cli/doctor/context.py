"""Shared by the checks of a stack: its clients, values that several checks read, and the next commands."""

import threading
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cached_property

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

SILENT = timedelta(minutes=5)  # the reconciler runs every minute
ACCESS_DENIED = "1045"  # MySQL's number of a login that is refused
STORES = ("DynamoDB: ", "The database's secret: ")  # how reasons begin that are about no single order
LOOKED_AT = 50  # dead letters, whose reasons are shown


class State(StrEnum):
    """Result of a check."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


Verdict = tuple[State, str, str | None]  # state, detail, next command


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
        """The command that deploys the stack again; only with a refresh it restores deleted resources."""
        if self.stack.name == LOCAL:
            return "cafe local stop && make local"
        return f"make deploy STACK={self.stack.name} ARGS=--refresh"

    @cached_property
    def _check(self) -> CheckResponse | CafeError:
        try:
            name = self.stack.output("reconcile_function")
            return Reconciler(functions=self.clients.functions, name=name).check()
        except CafeError as error:
            return error

    def known(self) -> CheckResponse:
        """Return what ReconcileOrders reads of both stores; raises a CafeError."""
        if isinstance(self._check, CafeError):
            raise self._check
        return self._check

    @cached_property
    def restore(self) -> Record | None:
        """The restore that is under way."""
        return Records(self.clients.dynamodb, self.stack).load()

    @cached_property
    def dead_lettered(self) -> int:
        """The number of messages in OrderDLQ."""
        return queues.depth(self.clients.sqs, self.stack.output("dead_letter_queue_url")).total

    @cached_property
    def letters(self) -> list[LetterState]:
        """The states of the first messages in OrderDLQ."""
        if not self.dead_lettered:
            return []
        letters = DeadLetters(
            sqs=self.clients.sqs,
            url=self.stack.output("dead_letter_queue_url"),
            target_url=self.stack.output("queue_url"),
            stop=threading.Event(),
        )
        return list(states(self.stack, self.clients, letters.listed(LOOKED_AT).messages).values())

    @property
    def worker_log_command(self) -> str:
        """The command that shows why orders failed."""
        if self.stack.name == LOCAL:
            return "cafe dlq list"
        group = self.stack.output("worker_log_group")
        return f"aws logs tail {group} --since 15m --region {self.stack.region}"

    def next_for_store(self, reason: str) -> str:
        """Return what to type about a store that refused an order."""
        meaning = meaning_of(reason)
        if meaning in {DENIED, SCHEMA}:
            return self.deploy
        is_about_one_order = "ValidationException" in reason or not reason.startswith(STORES)
        if meaning is None and is_about_one_order:
            return self.command("dlq list")
        database = self.known().database
        if database.reachable and not database.refuses_writes:
            return self.command("status --watch")  # it is tried again within minutes
        return self.next_for_database(reason)

    def next_for_database(self, reason: str | None) -> str:
        """Return what to type: a refused login differs from the secret; else RDS's events have the reason."""
        meaning = meaning_of(str(reason))
        if meaning in {DENIED, SCHEMA}:
            return self.deploy
        if meaning == LOCKED:
            return "SHOW FULL PROCESSLIST (see FailedOrders in docs/runbook.md)"
        if self.stack.name == LOCAL:
            return "make chaos ARGS=--mend"
        if ACCESS_DENIED in str(reason):
            return f"make deploy STACK={self.stack.name} ARGS='--replace **application-user'"
        where = f"--region {self.stack.region}"
        return f"aws rds describe-events --source-type db-instance --duration 120 {where}"
