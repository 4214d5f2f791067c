"""Process that runs the Pulumi program under mocks.

Reads an `Assignment` as JSON from standard input, and writes events (`progress`) to standard output. The
program's own output goes to standard error, which is a log file.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import json
import logging
import os
import runpy
import sys
import threading
import time
import traceback
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import settings as runtime
from pulumi.runtime.stack import wait_for_rpcs

from local import project
from local.database.instance import START_TIMEOUT, Database
from local.database.server import Administrator
from local.deployer import Cloud, Deployer
from local.deployer.naming import Naming
from local.deployer.outputs import refuse_marks
from local.emulator.gateway import HEALTH_PATH
from local.errors import LocalError
from local.progress import Assignment, Event, Failed, Finished, Ready, encode

Report = Callable[[Event], None]


def main() -> int:
    """Deploy the assignment on standard input, and return the exit code."""
    # Garbage collection takes as long as importing Pulumi's packages, and this process is short-lived.
    gc.disable()
    report = _take_standard_output()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    try:
        assignment = Assignment(**json.load(sys.stdin))
        report(asyncio.run(_deploy(assignment, report)))
    # Log the traceback, and report the message to the user.
    except BaseException as error:  # noqa: BLE001
        traceback.print_exc()
        report(Failed(message=_message(error)))
        return 1
    return 0


def _take_standard_output() -> Report:
    """Reserve standard output for events, and redirect all other output to standard error."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lock = threading.Lock()

    def report(event: Event) -> None:
        with lock:
            events.write(encode(event) + "\n")
            events.flush()

    return report


async def _deploy(assignment: Assignment, report: Report) -> Finished:
    root = Path(assignment.program)
    declared = project.load(root, assignment.settings)
    database = Database(
        port=assignment.database_port,
        administrator=Administrator(password=assignment.administrator_password),
        authority=Path(assignment.authority),
        parameters=Path(assignment.parameters),
    )
    cloud = Cloud(
        port=assignment.gateway_port,
        region=project.REGION,
        names=Naming(pattern=declared.naming, project=declared.name, stack=project.STACK),
        database=database,
        authority=Path(assignment.authority),
    )

    def wait_for_database() -> None:
        try:
            report(Ready(service=database.wait(START_TIMEOUT)))
        except Exception as error:  # noqa: BLE001
            report(Failed(message=_message(error)))

    waiting = threading.Thread(target=wait_for_database, daemon=True)
    waiting.start()
    _wait_for_gateway(assignment.gateway_port)
    report(Ready(service="MiniStack"))
    outputs = await run(root, declared, Deployer(cloud, report))
    waiting.join(START_TIMEOUT)
    login = database.login
    return Finished(
        outputs={key: cloud.deviations.addresses(value) for key, value in outputs.items()},
        database=dataclasses.asdict(login) if login else None,
        sign_in=dataclasses.asdict(cloud.visitor) if cloud.visitor else None,
        deviations=cloud.deviations.sentences,
        served=dataclasses.asdict(cloud.served),
    )


async def run(root: Path, declared: project.Project, deployer: Deployer) -> dict[str, Any]:
    """Run the program in `root` unmodified, and return its stack outputs.

    Raises
    ------
    LocalError
        A resource failed, or an output is missing.
    """
    # Set the mocks within the running event loop, to which all that follows belongs.
    pulumi.runtime.set_mocks(deployer, project=declared.name, stack=project.STACK, preview=False)
    pulumi.runtime.set_all_config(dict(declared.configuration))
    os.chdir(root)
    sys.path.insert(0, str(root))
    try:
        runpy.run_path(str(root / "__main__.py"), run_name="__main__")
        await wait_for_rpcs()
        stack = runtime.get_root_resource()
        return {
            name: await _stack_output(name, value) for name, value in getattr(stack, "outputs", {}).items()
        }
    except Exception:
        # Report the first failure, which causes this one.
        if deployer.failure is not None:
            raise deployer.failure from None
        raise


async def _stack_output(name: str, value: Any) -> Any:
    result = await pulumi.Output.from_input(value).future()
    if result is None or result == "":
        raise LocalError(f"The stack output {name} has no value.")
    refuse_marks(result, f"The stack output {name}")
    return result


def _wait_for_gateway(port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    url = f"http://127.0.0.1:{port}{HEALTH_PATH}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        try:
            opener.open(url, timeout=5).close()
        except (urllib.error.URLError, OSError) as error:
            if time.monotonic() > deadline:
                raise LocalError(f"MiniStack does not respond: {error}") from error
            time.sleep(0.02)
        else:
            return


def _message(error: BaseException) -> str:
    """Return an error's message for the user; settings errors have several lines of their own."""
    text = str(error).strip()
    if isinstance(error, LocalError | pulumi.RunError) or (text and "\n" in text):
        return text
    return f"The program failed with {type(error).__name__}: {text}"


if __name__ == "__main__":
    code = main()
    # Do not wait for threads that are still in calls.
    sys.stderr.flush()
    os._exit(code)
