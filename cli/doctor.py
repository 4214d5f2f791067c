"""What is wrong with a stack, and what to type next."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from cli import aws, copies, http, page_settings, queues, status, times, worker_log
from cli.dlq.dead_letters import DeadLetters
from cli.dlq.states import Kind, states, summary
from cli.dlq.states import State as LetterState
from cli.errors import CafeError, SetUpError
from cli.kitchen.client import Kitchen
from cli.plurals import are, messages, orders
from cli.reasons import DENIED, LOCKED, SCHEMA, explained, meaning_of
from cli.reconciler import CheckResponse, Reconciler
from cli.restore.record import Record, Records
from cli.schedule import Schedule
from cli.stack import LOCAL, REPOSITORY, Stack
from cli.verify import TITLE, is_shut_to_this_network
from orders.states import TO_MAKE
from orders.times import MAX_AHEAD

OLD, TOO_OLD = timedelta(minutes=1), timedelta(minutes=10)  # an order that waits for the worker
SILENT = timedelta(minutes=5)  # the reconciler runs every minute
METRIC_WINDOW = timedelta(minutes=15)
ACCESS_DENIED = "1045"  # MySQL's number of a login that is refused
STORES = ("DynamoDB: ", "The database's secret: ")  # how reasons begin that are about no single order
LOOKED_AT = 50  # dead letters, whose reasons are shown
PAUSE = 2.0  # seconds between two looks at a queue whose age nobody knows


class State(StrEnum):
    """How a thing is."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line.

    Attributes
    ----------
    name
        For programs.
    title
        For people.
    next
        The command to type next, if there is something to do.
    """

    name: str
    title: str
    state: State
    detail: str
    next: str | None = None


Verdict = tuple[State, str, str | None]  # state, detail, next command


class Doctor:
    """Looks at every part of a stack, each for itself."""

    def __init__(self, stack: Stack, clients: aws.Clients, client: httpx.Client) -> None:
        self._stack = stack
        self._clients = clients
        self._client = client
        self._status: status.OrderStatus | None = None  # None until it is known

    def findings(self) -> Iterator[Finding]:
        """Yield a finding per part as soon as it is known."""
        parts: list[tuple[str, str, Callable[[], Verdict], str | None]] = [
            ("page", "Page", self._page, self._deploy),
            ("api", "API", self._api, self._deploy),
            ("queue", "Queue", self._queue, self._command("status --watch")),
            ("worker", "Worker", self._worker, self._command("worker resume")),
            ("schedule", "Schedule", self._schedule, self._deploy),
            ("dead_letters", "Dead letters", self._dead_letters, self._command("dlq list")),
            ("conflicts", "Conflicting ids", self._conflicts, self._command("dlq list")),
            (
                "undelivered",
                "Undelivered by SNS",
                self._undelivered,
                self._command("dlq list", "--queue subscription"),
            ),
            ("database", "Database", self._database, self._command("reconcile")),
            ("schema", "Schema", self._schema, self._deploy),
            ("drift", "Drift", self._drift, self._command("reconcile")),
            ("last_order", "Last order", self._last_order, self._command("verify")),
            ("backup", "Copy of orders", self._backup, self._command("backup list")),
        ]
        if self._longest_wait:
            parts.append(("late_orders", "Late orders", self._late_orders, self._command("orders list")))
        if self._stack.endpoint is None:
            credentials = self._finding("credentials", "Credentials", self._credentials, "aws sso login")
            yield credentials
            if credentials.state is State.BAD:
                return  # every other part would say the same
        for part in parts:
            yield self._finding(*part)

    def _finding(self, name: str, title: str, look: Callable[[], Verdict], else_next: str | None) -> Finding:
        try:
            state, detail, command = look()
        except SetUpError as error:
            state, detail, command = State.BAD, str(error), self._deploy
        except (CafeError, BotoCoreError, ClientError) as error:
            cause = error.__cause__ if isinstance(error, CafeError) else error
            detail = str(error) if isinstance(error, CafeError) else aws.problem(error)
            state, command = State.BAD, self._deploy if aws.is_not_there(cause) else else_next
        next_command = None if state is State.OK else command
        return Finding(name=name, title=title, state=state, detail=detail, next=next_command)

    def _command(self, words: str, *options: str) -> str:
        where = () if self._stack.name == LOCAL else ("--stack", self._stack.name)
        return " ".join(("cafe", words, *options, *where))

    @property
    def _deploy(self) -> str:
        local = self._stack.name == LOCAL
        # What was deleted by hand is only seen, and put back, after a look.
        return (
            "cafe local stop && make local"
            if local
            else f"make deploy STACK={self._stack.name} ARGS=--refresh"
        )

    def _credentials(self) -> Verdict:
        mine = self._clients.sts.get_caller_identity()["Account"]
        account = self._stack.output("topic_arn").split(":")[4]
        if mine != account:
            text = f"they are of account {mine}, and the stack is in account {account}: set AWS_PROFILE"
            return State.BAD, text, "aws configure list-profiles"
        return State.OK, f"of account {mine}", None

    # The doors

    def _page(self) -> Verdict:
        url = self._stack.output("page_url")
        try:
            response = self._client.get(url, follow_redirects=True)
        except httpx.HTTPError as error:
            return State.BAD, f"{url} was not reached: {http.problem(error)}", self._deploy
        if is_shut_to_this_network(self._stack, response):
            return State.OK, f"{url} is shut to this machine's network, as dashboardCidrs says", None
        if response.status_code != httpx.codes.OK or TITLE not in response.text:
            return State.BAD, f"{url} answers {http.message_of(response)}, not with the page", self._deploy
        if wrong := page_settings.problem(self._client, url):
            return State.BAD, wrong, self._deploy
        return State.OK, f"{url} is served", None

    def _api(self) -> Verdict:
        answer = self._status = status.parse(status.source(self._stack, self._client, self._clients)())
        if answer.degraded:
            return (
                State.WARN,
                f"it answers, but could not read {', '.join(answer.degraded)}",
                self._command("status"),
            )
        what = self._stack.output("api_url" if self._stack.is_public else "status_function")
        return State.OK, f"{what} answers", None

    # The queues

    def _queue(self) -> Verdict:
        url = self._stack.output("queue_url")
        depth = queues.depth(self._clients.sqs, url)
        orders = f"{depth.waiting:,} waiting, {depth.in_flight:,} with the worker"
        if not depth.waiting:
            return State.OK, orders, None
        age = self._age_of_oldest(url)
        if age is None:
            return self._is_shrinking(url, depth.waiting, orders)
        text = f"{orders}, the oldest for {times.duration(age.total_seconds())}"
        state = State.BAD if age >= TOO_OLD else State.WARN if age >= OLD else State.OK
        return state, text, self._command("status --watch")

    def _age_of_oldest(self, url: str) -> timedelta | None:
        """Ask CloudWatch; SQS itself tells the age only to who takes the message."""
        now = datetime.now(UTC)
        try:
            points = self._clients.cloudwatch.get_metric_statistics(
                Namespace="AWS/SQS",
                MetricName="ApproximateAgeOfOldestMessage",
                Dimensions=[{"Name": "QueueName", "Value": url.rpartition("/")[2]}],
                StartTime=now - METRIC_WINDOW,
                EndTime=now,
                Period=60,
                Statistics=["Maximum"],
            )["Datapoints"]
        except (BotoCoreError, ClientError):
            return None
        if not points:
            return None
        latest = max(points, key=lambda point: point["Timestamp"])
        return timedelta(seconds=latest["Maximum"])

    def _is_shrinking(self, url: str, waiting: int, orders: str) -> Verdict:
        time.sleep(PAUSE)
        now = queues.depth(self._clients.sqs, url).waiting
        if now < waiting:
            return State.OK, f"{orders}; {waiting - now:,} fewer are waiting {PAUSE:g} s later", None
        return State.WARN, f"{orders}, and not fewer {PAUSE:g} s later", self._command("status --watch")

    def _worker(self) -> Verdict:
        uuid = self._stack.output("worker_mapping")
        mapping = self._clients.functions.get_event_source_mapping(UUID=uuid)
        state = mapping.get("State", "unknown")
        last = mapping.get("LastProcessingResult", "")
        if state in {"Disabled", "Disabling"}:
            if restore := self._restore:
                text = f"is paused by a restore {restore.what}: orders wait in the queue"
                return State.BAD, text, self._command("restore")
            return State.BAD, "is paused: orders wait in the queue", self._command("worker resume")
        if state != "Enabled":
            return State.WARN, f"is not ready: {state}", self._command("doctor")
        if last.startswith("PROBLEM"):
            return State.WARN, f"takes orders, but the last time: {last}", self._worker_log
        found = self._failed_orders()
        return self._back_off() or found if found[0] is State.OK else found

    @cached_property
    def _restore(self) -> Record | None:
        """Return the restore that is under way."""
        return Records(self._clients.dynamodb, self._stack).load()

    def _schedule(self) -> Verdict:
        """Read whether ReconcileOrders is called by the clock, and whether a restore waits for a person."""
        rules = Schedule(self._clients.events, self._stack).rules()
        off = sorted(name for name, is_on in rules.items() if not is_on)
        if restore := self._restore:
            text = f"a restore {restore.what} is under way"
            return (
                State.BAD,
                f"{text}, and ReconcileOrders is paused" if off else text,
                self._command("restore"),
            )
        if off or not rules:
            text = f"{', '.join(off) or 'no rule'} calls ReconcileOrders: nobody compares, or reads OrderDLQ"
            return State.BAD, f"paused: {text}" if off else text, self._deploy
        return State.OK, "ReconcileOrders is called every minute", None

    def _failed_orders(self) -> Verdict:
        """Read what the worker says: it ends well although it could not record an order."""
        since = datetime.now(UTC) - METRIC_WINDOW
        group = self._stack.output("worker_log_group")
        found = worker_log.failures(self._clients.logs, group, since).without_conflicts()
        period = f"in the last {times.duration(METRIC_WINDOW.total_seconds())}"
        if not found.lines and not found.complete:
            return State.WARN, f"takes orders, but its log {period} is too long to be read", self._worker_log
        if not found.lines:
            return State.OK, f"takes orders from the queue; none failed {period}", None
        latest = found.lines[-1]
        which = "the latest" if found.complete else "one of them"
        reason = f"{which} at {times.spoken(latest.at)}: {explained(latest.reason)}"
        at_least = "" if found.complete else "at least "
        missing = found.order_ids - self._recorded(found.order_ids)
        if missing:
            count = f"{at_least}{orders(len(missing))}"
            text = f"{count} failed {period} and {are(len(missing))} not recorded yet, {reason}"
            return State.BAD, text, self._store_next(latest.reason)
        text = f"{at_least}{orders(len(found.order_ids))} failed {period}, and recorded since"
        # ReconcileOrders records what the worker could not: that they are recorded does not mean that it can.
        if not worker_log.has_processed(self._clients.logs, group, latest.at):
            text = f"{text}, but the worker has recorded none since, {reason}"
            return State.WARN, text, self._command("verify")
        return State.OK, f"takes orders from the queue; {text}, {reason}", None

    def _back_off(self) -> Verdict | None:
        """Read whether the worker may set when failed messages come again; other problems pass."""
        since = datetime.now(UTC) - METRIC_WINDOW
        group = self._stack.output("worker_log_group")
        reason = worker_log.visibility_problem(self._clients.logs, group, since)
        if reason is None or meaning_of(reason) != DENIED:
            return None
        text = "takes orders, but messages that failed come again only after the queue's visibility timeout"
        return State.WARN, f"{text}: {explained(reason)}", self._deploy

    def _recorded(self, order_ids: Iterable[str]) -> Set[str]:
        found = worker_log.recorded(self._clients.dynamodb, self._stack.output("orders_table"), order_ids)
        return found.keys()

    def _store_next(self, reason: str) -> str:
        """What to type about a store that refused an order."""
        meaning = meaning_of(reason)
        if meaning in {DENIED, SCHEMA}:
            return self._deploy
        is_about_one_order = "ValidationException" in reason or not reason.startswith(STORES)
        if meaning is None and is_about_one_order:
            return self._command("dlq list")
        database = self._known().database
        if database.reachable and not database.refuses_writes:
            return self._command("status --watch")  # it is tried again within minutes
        return self._database_next(reason)

    @property
    def _worker_log(self) -> str:
        if self._stack.name == LOCAL:
            return "cafe dlq list"
        group = self._stack.output("worker_log_group")
        return f"aws logs tail {group} --since 15m --region {self._stack.region}"

    def _dead_letters(self) -> Verdict:
        number = self._dead_lettered
        if not number:
            return State.OK, "none", None
        found = self._letters
        looked_at = f"of the {len(found)} that were looked at, " if len(found) < number else ""
        swept = self._is_swept()
        what = summary(found, swept=swept) if found else "somebody else holds them just now"
        if not swept:
            text = f"ReconcileOrders has not read them in the last {times.duration(SILENT.total_seconds())}"
            return State.BAD, f"{messages(number)}: {looked_at}{what}; {text}", self._command("reconcile")
        waiting = next((state for state in found if state.kind is Kind.WAITING), None)
        only_waiting = all(state.kind in {Kind.WAITING, Kind.RECORDED, Kind.UNKNOWN} for state in found)
        command = self._store_next(waiting.reason or "") if waiting and only_waiting else None
        return State.BAD, f"{messages(number)}: {looked_at}{what}", command or self._command("dlq list")

    @cached_property
    def _dead_lettered(self) -> int:
        return queues.depth(self._clients.sqs, self._stack.output("dead_letter_queue_url")).total

    @cached_property
    def _letters(self) -> list[LetterState]:
        """The states of the first messages in OrderDLQ."""
        if not self._dead_lettered:
            return []
        letters = DeadLetters(
            sqs=self._clients.sqs,
            url=self._stack.output("dead_letter_queue_url"),
            target_url=self._stack.output("queue_url"),
            stop=threading.Event(),
        )
        return list(states(self._stack, self._clients, letters.listed(LOOKED_AT).messages).values())

    def _conflicts(self) -> Verdict:
        """Read which orders have an id that belongs to another order: they wait for a person."""
        reasons = [letter.reason for letter in self._letters if letter.kind is Kind.CONFLICTING]
        swept = self._status.sync.dead_letters if self._status else None
        # The sweep looks at all messages, but not at those of the last minute.
        swept_number = min(swept.conflicting, self._dead_lettered) if swept else 0
        number = max(len(reasons), swept_number)
        if not number:
            return State.OK, "none", None
        text = f"{orders(number)} not recorded" + (f": {reasons[0]}" if reasons else "")
        return State.BAD, text, self._command("dlq list")

    def _is_swept(self) -> bool:
        """Return whether ReconcileOrders read the dead letters lately, as far as the API knows."""
        if self._status is None or "dynamodb" in self._status.degraded:
            return True
        return not self._status.sync.dead_lettered or self._status.sync.dead_letters is not None

    def _undelivered(self) -> Verdict:
        if problem := self._undeliverable():
            return State.BAD, problem, self._deploy
        number = queues.depth(
            self._clients.sqs, self._stack.output("subscription_dead_letter_queue_url")
        ).total
        if not number:
            return State.OK, "none", None
        command = self._command("dlq list", "--queue subscription")
        return State.BAD, f"{messages(number)}: nobody tries them again by itself", command

    def _undeliverable(self) -> str | None:
        """Return why SNS cannot deliver orders; what it accepts without a subscription is lost."""
        topic = self._stack.output("topic_arn")
        attributes = self._clients.sqs.get_queue_attributes(
            QueueUrl=self._stack.output("queue_url"), AttributeNames=["QueueArn", "Policy"]
        )["Attributes"]
        pages = self._clients.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
        endpoints = {found["Endpoint"] for page in pages for found in page["Subscriptions"]}
        if attributes["QueueArn"] not in endpoints:
            return "OrderQueue is not subscribed to OrderTopic: orders are accepted, and then lost"
        if topic not in attributes.get("Policy", ""):
            return "OrderQueue's policy does not let OrderTopic send to it: no order reaches the worker"
        return None

    # What only the function in the VPC sees

    @cached_property
    def _check(self) -> CheckResponse | CafeError:
        try:
            name = self._stack.output("reconcile_function")
            return Reconciler(functions=self._clients.functions, name=name).check()
        except CafeError as error:
            return error

    def _known(self) -> CheckResponse:
        if isinstance(self._check, CafeError):
            raise self._check
        return self._check

    def _database(self) -> Verdict:
        database = self._known().database
        if not database.reachable:
            reason = database.reason or "no reason is known"
            return State.BAD, f"does not answer: {explained(reason)}", self._database_next(reason)
        if database.refuses_writes:
            text = f"answers, but takes no orders: {explained(database.refuses_writes)}"
            return State.BAD, text, self._database_next(database.refuses_writes)
        return State.OK, "answers", None

    def _database_next(self, reason: str | None) -> str:
        """Return what to type: a refused login differs from the secret; else the database itself says why."""
        meaning = meaning_of(str(reason))
        if meaning in {DENIED, SCHEMA}:
            return self._deploy
        if meaning == LOCKED:
            return "SHOW FULL PROCESSLIST (see FailedOrders in docs/runbook.md)"
        if self._stack.name == LOCAL:
            return "make chaos ARGS=--mend"
        if ACCESS_DENIED in str(reason):
            return f"make deploy STACK={self._stack.name} ARGS='--replace **application-user'"
        where = f"--region {self._stack.region}"
        return f"aws rds describe-events --source-type db-instance --duration 120 {where}"

    def _schema(self) -> Verdict:
        version, wanted = self._known().database.version, _migrations()
        if version is None:
            database = self._known().database
            return (
                State.WARN,
                "not known",
                self._deploy if database.reachable else self._database_next(database.reason),
            )
        if wanted and version != wanted:
            return State.BAD, f"version {version}, and these sources need {wanted}", self._deploy
        if (seconds := self._known().database.narrow_for) is not None:
            detail = (
                f"version {version}; ids end at 2,147,483,647 and times in 2038 until the table is widened, "
                f"which locks it for about {times.duration(max(1, seconds))}: do it in a quiet hour"
            )
            return State.WARN, detail, self._command("database widen")
        return State.OK, f"version {version}", None

    def _drift(self) -> Verdict:
        known = self._known()
        if not known.dynamodb.reachable:
            return State.BAD, f"not known: {known.dynamodb.reason}", self._command("reconcile")
        if known.as_of is None or known.drift is None:
            if known.unknown_since is not None:
                return State.BAD, f"could not compare: {known.unknown_reason}", self._command("reconcile")
            return self._not_compared()
        ago = times.ago(known.as_of)
        when = f"compared {times.duration(ago.total_seconds())} ago"
        if known.unknown_since is not None:
            since = times.duration(times.ago(known.unknown_since).total_seconds())
            differed = f"{orders(known.drift)} differed, {when}; " if known.drift else ""
            detail = f"{differed}unknown for {since}: could not compare: {known.unknown_reason}"
            return State.BAD, detail, self._command("reconcile")
        if known.drift:
            return State.BAD, f"{orders(known.drift)} differed, {when}", self._command("reconcile")
        if ago > SILENT:
            return State.BAD, f"none, but only {when}", self._command("reconcile")
        return State.OK, f"none, {when}", None

    def _not_compared(self) -> Verdict:
        """Tell a stack that is too young to have been compared from one that should have been."""
        uuid = self._stack.output("worker_mapping")
        made = self._clients.functions.get_event_source_mapping(UUID=uuid).get("LastModified")
        age = times.ago(made) if made else None
        if age is not None and age > SILENT:
            since = f"although the worker takes orders for {times.duration(age.total_seconds())}"
            return State.BAD, f"not compared yet, {since}", self._command("reconcile")
        return (
            State.WARN,
            "not compared yet: ReconcileOrders does so every minute",
            self._command("reconcile"),
        )

    def _last_order(self) -> Verdict:
        last = self._known().last_order_at
        database = self._known().database
        if not database.reachable:
            return State.WARN, "not known", self._database_next(database.reason)
        future = self._known().future_orders or 0
        more = f"; {orders(future)} dated in the future besides" if future else ""
        if last is None:
            return State.OK, f"none yet{more}", None
        ago = times.ago(last).total_seconds()
        if ago < -MAX_AHEAD.total_seconds():  # from a function of an earlier release
            return State.WARN, f"dated {times.spoken(last)}, which is in the future", self._deploy
        return State.OK, f"{times.spoken(last)}, {times.duration(max(0.0, ago))} ago{more}", None

    # The copy of the orders

    def _backup(self) -> Verdict:
        """Tell a copy that is too old from a stack that is too young to have one."""
        try:
            last = copies.Copies(self._clients.s3, self._stack.output("backup_bucket")).last_at()
            made = None if last else self._made_at(self._stack.output("backup_log_group"))
        except (BotoCoreError, ClientError) as error:
            if aws.is_not_there(error):
                raise
            return State.BAD, f"could not check: {aws.problem(error)}", self._command("backup list")
        now = self._command("backup now")
        if last is not None:
            ago = times.ago(last)
            state = State.BAD if ago > copies.OLD else State.OK
            return state, f"complete as of {times.duration(max(0.0, ago.total_seconds()))} ago", now
        if made is not None and times.ago(made) <= copies.OLD:
            return State.OK, "none yet: the first one is made within six hours of the first deploy", None
        return State.BAD, "none was ever completed", now

    def _made_at(self, log_group: str) -> datetime | None:
        """Return when a function was first deployed: its log group is older than all of its code."""
        found = self._clients.logs.describe_log_groups(logGroupNamePrefix=log_group)["logGroups"]
        made = next((group["creationTime"] for group in found if group["logGroupName"] == log_group), None)
        return datetime.fromtimestamp(made / 1000, UTC) if made else None

    # The kitchen

    @property
    def _longest_wait(self) -> timedelta:
        """Return how long an order may take to be ready; zero without the alarm LateOrders."""
        return timedelta(minutes=int(self._stack.outputs.get("waiting_alarm_minutes", 0)))

    def _late_orders(self) -> Verdict:
        board = Kitchen.of(self._stack, self._clients).board()
        waits = {
            order.number: board.now - order.created_at
            for order in board.orders
            if order.state in TO_MAKE and order.created_at
        }
        late = [number for number, wait in waits.items() if wait > self._longest_wait]
        limit = times.duration(self._longest_wait.total_seconds())
        if not late:
            return State.OK, f"none wait for longer than {limit}", None
        oldest = max(late, key=lambda number: waits[number])
        wait = times.duration(waits[oldest].total_seconds())
        text = f"{orders(len(late))} not ready after {limit}; the oldest, {oldest}, after {wait}"
        return State.WARN, text, self._command("orders list")


def _migrations() -> int | None:
    """Return the number of the newest migration in these sources, None if they are not here."""
    numbers = [int(path.name[:4]) for path in (REPOSITORY / "functions" / "migrations").glob("[0-9]*.sql")]
    return max(numbers, default=None)
