"""Process that runs a function as Lambda does, by commands on standard input in lines of JSON.

python -m bench.process '{"code": "/tmp/x/code", "handler": "order_processor", "shared": "/tmp/x/items", …}'
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.dynamodb import Latency, StandIn
from bench.messages import Event, events
from bench.shared_items import SharedItems
from bench.trace import Trace

FIGURES = ("write_units", "read_units", "conflicts", "conditions_failed")
LOG = 1  # standard output, as a file descriptor
ATTEMPTS = 100  # receives of a message with `again`


class Context:
    """Context that Lambda passes to a handler."""

    aws_request_id = "bench"
    function_name = "bench"

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """Return the time that the invocation has left."""
        return int(1000 * (self._end - time.monotonic()))


class Process:
    """A function, its stand-in for AWS, and the trace of its statements and calls."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._envelope = settings["envelope"]
        self._timeout = settings["timeout"]
        self.trace = Trace()
        self.stand_in = StandIn(SharedItems(Path(settings["shared"])), settings["secrets"])
        self.trace.install()
        self.stand_in.install()
        os.environ.update(settings["environment"])
        sys.path.insert(0, settings["code"])
        self._handler = importlib.import_module(settings["handler"]).handler

    def batches(
        self,
        prefix: str,
        first: int,
        orders: int,
        batch: int,
        rate: float = 0,
        again: bool = False,
        freeze: bool = False,
    ) -> dict[str, Any]:
        """Process batches of new orders.

        Parameters
        ----------
        rate
            Orders a second; 0 for as fast as possible.
        again
            Process failed messages again at once.
        freeze
            Stop the process (SIGSTOP) before it commits its first batch.
        """
        prepared = events(prefix, first, orders, batch, envelope=self._envelope)
        self._reset()
        self.trace.freeze_at_commit = freeze
        failed, seconds, ends = 0, [], []
        began, cpu = time.perf_counter(), time.process_time()
        for number, event in enumerate(prepared):
            if rate:
                time.sleep(max(0.0, began + number * batch / rate - time.perf_counter()))
            started = time.perf_counter()
            self.trace.start_batch()
            failed += self._process(event, again=again)
            ends.append(time.perf_counter())
            seconds.append(ends[-1] - started)
        return {
            "began": began,
            "ended": ends[-1],
            "seconds": seconds,
            "ends": ends,
            "failed": failed,
            "cpu": time.process_time() - cpu,
            "orders": orders,
            **self._usage(),
        }

    def limit(self) -> dict[str, Any]:
        """Replay the statements and calls of the last batches alone."""
        self.stand_in.reset()
        cpu = time.process_time()
        seconds = self.trace.replay()
        return {
            "seconds": seconds,
            "cpu": time.process_time() - cpu,
            "calls": dict(self.stand_in.usage.calls),
        }

    def invoke(self, events: list[Event], most_seconds: float = 5) -> dict[str, Any]:
        """Call the handler with one event after the other; return its last response as `response`."""
        self._reset()
        seconds: list[float] = []
        response: object = None
        end = time.perf_counter() + most_seconds
        for event in events:
            if len(seconds) >= 3 and time.perf_counter() >= end:
                break
            started = time.perf_counter()
            response = self._handler(event, Context(self._timeout))
            seconds.append(time.perf_counter() - started)
        return {"seconds": seconds, "response": response, "invocations": len(seconds), **self._usage()}

    def latency(self, call: float, transaction: float) -> dict[str, Any]:
        """Set the latencies of AWS."""
        self.stand_in.latency = Latency(call, transaction)
        return {}

    def _reset(self) -> None:
        self.trace.reset()
        self.stand_in.reset()
        os.ftruncate(LOG, 0)
        os.lseek(LOG, 0, os.SEEK_SET)

    def _process(self, event: Event, *, again: bool) -> int:
        """Process a batch; return how many messages failed in the end."""
        for _ in range(ATTEMPTS if again else 1):
            response = self._handler(event, Context(self._timeout))
            failures = {each["itemIdentifier"] for each in response.get("batchItemFailures", [])}
            if not failures:
                return 0
            event = {"Records": [each for each in event["Records"] if each["messageId"] in failures]}
        return len(failures)

    def _usage(self) -> dict[str, Any]:
        usage = self.stand_in.usage
        return {
            "statements": self.trace.statements,
            "connections": self.trace.connections,
            "calls": dict(usage.calls),
            **{name: usage.figures[name] for name in FIGURES},
            "log_bytes": os.fstat(LOG).st_size,
        }


def main() -> None:
    """Run the command of each line, and write a line with its result."""
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # The function's log is written, as on Lambda, to measure its size.
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), LOG)
    process = Process(json.loads(sys.argv[1]))
    for line in sys.stdin:
        command = json.loads(line)
        result = getattr(process, command.pop("do"))(**command)
        print(json.dumps(result, default=str), file=output, flush=True)


if __name__ == "__main__":
    main()
