"""Pause and resume the worker: the event source mapping between OrderQueue and its function."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from cli import aws
from cli.errors import OperationError
from cli.progress import waiting

ENABLED, DISABLED = "Enabled", "Disabled"
SWITCH_TIMEOUT = 120.0  # seconds; Lambda takes up to a minute


@contextmanager
def paused(functions: aws.LambdaClient, mapping: str) -> Iterator[None]:
    """Pause the worker while the `with` statement lasts, unless it is paused already."""
    if is_paused(functions, mapping):
        _wait(functions, mapping, DISABLED)
        yield
        return
    try:
        switch(functions, mapping, DISABLED)
        yield
    finally:
        switch(functions, mapping, ENABLED)


def switch(functions: aws.LambdaClient, mapping: str, wanted: str) -> None:
    """Pause or resume the worker, and wait until Lambda has done so."""
    with aws.translated_errors():
        functions.update_event_source_mapping(UUID=mapping, Enabled=wanted == ENABLED)
    _wait(functions, mapping, wanted)


def _wait(functions: aws.LambdaClient, mapping: str, wanted: str) -> None:
    deadline = time.monotonic() + SWITCH_TIMEOUT
    with aws.translated_errors(), waiting("Waiting for Lambda"):
        while (state := _state(functions, mapping)) != wanted:
            if time.monotonic() > deadline:
                raise OperationError(
                    f"The mapping is still {state} after {SWITCH_TIMEOUT:g} s: check it with `cafe doctor`."
                )
            time.sleep(0.5)


def is_paused(functions: aws.LambdaClient, mapping: str) -> bool:
    """Return whether the worker is paused."""
    with aws.translated_errors():
        return _state(functions, mapping) in {DISABLED, "Disabling"}


def _state(functions: aws.LambdaClient, mapping: str) -> str:
    return str(functions.get_event_source_mapping(UUID=mapping)["State"])
