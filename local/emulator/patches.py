"""Patches of MiniStack; runs in its environment."""

from __future__ import annotations

import os
import time
import uuid
from contextlib import suppress
from queue import Empty
from typing import Any

# Each process takes 0.3 seconds of a core to start, so more of them make a burst slower.
MOST_PROCESSES = max(4, 2 * (os.cpu_count() or 1))  # of one function

# In the script of a function's process: imports botocore to detect functions that invoke themselves.
IMPORTS_BOTOCORE = "    _ms_install_invoke_depth()\n"

# In the same script: the call of the handler.
CALLS_HANDLER = "result = handler_fn(event, context)"
END_OF_LOG = "end of the invocation's log"
WITH_END_OF_LOG = f"""try:
                {CALLS_HANDLER}
            finally:
                print({END_OF_LOG!r}, file=sys.stderr, flush=True)"""
# Seconds to wait for a line: of a process that is alive, and of one that failed and may never write the mark.
LOG_TIMEOUT, FAILED_LOG_TIMEOUT = 1.0, 0.05


def keep_groups(cognito: Any) -> None:
    """Add the user's groups to refreshed tokens, as Cognito does; without them staff lose access."""
    make = cognito._fake_token

    def token(
        sub: str, pool: str, client: str, kind: str = "access", username: str = "", **claims: Any
    ) -> Any:
        if claims.get("groups") is None and username:
            users = cognito._get_pool_unscoped(pool)["_users"]
            claims["groups"] = users.get(username, {}).get("_groups", [])
        return make(sub, pool, client, kind, username, **claims)

    cognito._fake_token = token


def start_without_botocore(runtime: Any) -> None:
    """Start functions with their own imports only, as Lambda does: a third less work per cold start."""
    runtime._PYTHON_WORKER_SCRIPT = runtime._PYTHON_WORKER_SCRIPT.replace(IMPORTS_BOTOCORE, "")


def end_logs(runtime: Any) -> None:
    """Mark where the log of an invocation ends, instead of waiting 0.05 seconds for further lines."""
    runtime._PYTHON_WORKER_SCRIPT = runtime._PYTHON_WORKER_SCRIPT.replace(CALLS_HANDLER, WITH_END_OF_LOG)

    def read_log(worker: Any, **_timeouts: float) -> str:
        lines = []
        timeout = FAILED_LOG_TIMEOUT if worker._proc is None else LOG_TIMEOUT
        output = worker._stderr_queue
        # Marks that are still to come: more than one if that of an earlier invocation was late.
        output.marks = getattr(output, "marks", 0) + 1
        with suppress(Empty):
            while output.marks:
                if (line := output.get(timeout=timeout)) == END_OF_LOG:
                    output.marks -= 1
                else:
                    lines.append(line)
        return "\n".join(lines)

    runtime.Worker._drain_stderr_bounded = read_log


def identify_lines(logs: Any) -> None:
    """Give each line of a function's log an id, as CloudWatch does."""
    append = logs._append_log_events

    def append_with_ids(stream: Any, events: list[dict[str, Any]]) -> None:
        append(stream, [{"eventId": str(uuid.uuid4()), **event} for event in events])

    logs._append_log_events = append_with_ids


def limit_processes(service: Any) -> None:
    """Let invocations wait for a free process of their function instead of starting ever more of them."""
    acquire = service.acquire_worker

    def wait_and_acquire(*arguments: Any, **options: Any) -> Any:
        while True:
            worker, reason = acquire(*arguments, **{**options, "max_concurrency": MOST_PROCESSES})
            if worker is not None:
                return worker, reason
            time.sleep(0.02)

    service.acquire_worker = wait_and_acquire
