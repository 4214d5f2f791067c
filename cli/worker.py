"""`cafe worker`: let the worker rest, and let it go on."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from cli import stack
from cli.errors import AnswerError
from cli.options import DEFAULT_STACK, AsJson, Debug, Directory, SentenceGroup, StackName, examples
from cli.progress import waiting
from cli.terminal import print_json, say

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_lambda import LambdaClient

ENABLED, DISABLED = "Enabled", "Disabled"
PATIENCE = 120.0  # seconds; Lambda takes up to a minute

app = typer.Typer(
    cls=SentenceGroup,
    no_args_is_help=True,
    help="Let the worker rest, so that orders wait in the queue, and let it go on.",
    epilog=examples("cafe worker pause", "cafe worker resume"),
)


@app.command("pause", epilog=examples("cafe worker pause", "cafe worker pause --stack prod"))
def pause_command(
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Take no more orders from the queue; they wait there, for up to fourteen days, and none is lost.

    Orders that the worker has already are still recorded.
    """
    _set(stack_name, directory, as_json, enabled=False)


@app.command("resume", epilog=examples("cafe worker resume", "cafe worker resume --stack prod"))
def resume_command(
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Take orders from the queue again."""
    _set(stack_name, directory, as_json, enabled=True)


@contextmanager
def paused(functions: "LambdaClient", mapping: str) -> Iterator[None]:
    """Let the worker rest for a while, unless it rests already."""
    from cli import aws

    with aws.asking():
        was_enabled = functions.get_event_source_mapping(UUID=mapping)["State"] != DISABLED
    if not was_enabled:
        yield
        return
    try:
        switch(functions, mapping, DISABLED)
        yield
    finally:
        switch(functions, mapping, ENABLED)


def _set(stack_name: str, directory: "Path | None", as_json: bool, *, enabled: bool) -> None:
    from cli import aws

    target = stack.load(stack_name, directory)
    state = ENABLED if enabled else DISABLED
    switch(aws.Clients(target).functions, target.output("worker_mapping"), state)
    if as_json:
        print_json({"stack": target.name, "state": state})
    else:
        say("The worker takes orders." if enabled else "The worker rests; orders wait in the queue.")


def switch(functions: "LambdaClient", mapping: str, wanted: str) -> None:
    """Pause or resume the worker, and wait until Lambda has done so."""
    from cli import aws

    with aws.asking(), waiting("Waiting for Lambda"):
        functions.update_event_source_mapping(UUID=mapping, Enabled=wanted == ENABLED)
        state = _settled(functions, mapping, wanted)
    if state != wanted:
        raise AnswerError(f"The mapping is still {state} after {PATIENCE:g} s: ask again with `cafe doctor`.")


def _settled(functions: Any, uuid: str, wanted: str) -> str:
    deadline = time.monotonic() + PATIENCE
    while True:
        state = str(functions.get_event_source_mapping(UUID=uuid)["State"])
        if state == wanted or time.monotonic() > deadline:
            return state
        time.sleep(0.5)
