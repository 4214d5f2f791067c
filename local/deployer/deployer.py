"""Mocks of Pulumi's engine that create each resource, and refuse unknown inputs."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from pulumi.runtime import mocks

from local.deployer import outputs
from local.deployer.cloud import Cloud
from local.deployer.inputs import InputError, Inputs, plain
from local.deployer.outputs import OutputError
from local.deployer.registry import invoke_handler, resource_type
from local.errors import LocalError
from local.progress import Created, Failed


class DeployError(LocalError):
    """A resource or an invoke failed; the message names it."""


class Deployer(mocks.Mocks):
    """Creates every resource of the program, in the thread in which Pulumi registers it."""

    def __init__(self, cloud: Cloud, report: Callable[[Created | Failed], None]) -> None:
        self._cloud = cloud
        self._report = report
        self._lock = threading.Lock()
        self._names: set[tuple[str, str]] = set()
        self.failure: DeployError | None = None  # the first one, which causes all others

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """Create a resource, and return its id and its state."""
        try:
            return self._new_resource(args)
        except Exception as error:
            raise self._fail(f"{args.typ} {args.name!r}", error) from error

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """Return the result of an invoke."""
        try:
            handler = invoke_handler(args.token)
            inputs = Inputs(plain(args.args))
            result = handler(self._cloud, inputs)
            _refuse_unread(list(inputs.unread()))
            outputs.checked("invoke", result)
        except Exception as error:
            raise self._fail(args.token, error) from error
        return result, []

    def _new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        outputs.refuse_marks(plain(args.inputs), "it")
        if args.resource_id:
            raise InputError("is looked up or imported, but a local stack starts empty")
        if args.custom is False:
            return None, args.inputs
        kind = resource_type(args.typ)
        self._refuse_twice(args.typ, args.name)
        began = time.monotonic()
        inputs = Inputs(plain(args.inputs))
        identifier, created = kind.create(self._cloud, args.name, inputs)
        _refuse_unread([path for path in inputs.unread() if not kind.ignores(path)])
        outputs.checked(identifier, created)
        self._report(Created(type=args.typ, name=args.name, seconds=time.monotonic() - began))
        # Return the inputs unchanged, so that secrets stay secret.
        state = {**args.inputs, **created}
        return identifier, {**state, **outputs.marks(args.typ, args.name, state)}

    def _refuse_twice(self, type_token: str, name: str) -> None:
        with self._lock:
            if (type_token, name) in self._names:
                raise InputError("is declared twice")
            self._names.add((type_token, name))

    def _fail(self, subject: str, error: Exception) -> DeployError:
        # Log it now: the report ends this process before Pulumi logs the traceback.
        traceback.print_exception(error)
        failure = DeployError(f"{subject}: {_message(error)}")
        with self._lock:
            first = self.failure is None
            self.failure = self.failure or failure
        if first:
            # Report it at once: Pulumi would wait for all other resources.
            self._report(Failed(message=str(failure)))
        return failure


def _refuse_unread(paths: list[str]) -> None:
    if paths:
        noun = "inputs" if len(paths) > 1 else "an input"
        raise InputError(f"has {noun} that local mode does not support: {', '.join(sorted(paths))}")


def _message(error: Exception) -> str:
    if isinstance(error, InputError | OutputError | LocalError):
        return str(error)
    return f"{type(error).__name__}: {error}"
