"""Calls of a stack's Lambda functions."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from botocore.exceptions import ClientError
from pydantic import TypeAdapter, ValidationError

from cli import aws
from cli.errors import OperationError
from orders import exact_json

# Reasons of an unavailable store, which contain no customer's name
UNAVAILABLE = re.compile(r"MySQL error \d+|DynamoDB: \w+")
BUSY_TIMEOUT = 120.0  # seconds to wait for another run of the function to end

T = TypeVar("T")


def validated(name: str, document: object, kind: type[T]) -> T:
    """Parse a function's response; raise OperationError with the first invalid field."""
    try:
        return TypeAdapter(kind).validate_python(document)
    except ValidationError as problem:
        field = ".".join(map(str, problem.errors()[0]["loc"])) or "its top level"
        raise OperationError(f"The response of {name} is invalid at {field}.") from None


@dataclass(frozen=True, kw_only=True)
class Function:
    """One function."""

    functions: aws.LambdaClient
    name: str
    hides_messages: ClassVar[bool] = False  # of errors that may contain a name

    def call(self, event: dict[str, Any], kind: type[T]) -> T:
        """Call the function; return its parsed response, or raise OperationError."""
        with aws.translated_errors():
            invoked = self._invoke(json.dumps(event))
        return validated(self.name, self._response(invoked), kind)

    def http(self, event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Call a function behind the API; return the status code and the JSON object of its response."""
        with aws.translated_errors():
            invoked = self.functions.invoke(FunctionName=self.name, Payload=json.dumps(event))
        response = self._response(invoked)
        try:
            document = exact_json.decode(response["body"])
            if isinstance(document, dict):
                return int(response["statusCode"]), document
        except (KeyError, TypeError, ValueError):
            pass
        # Its text may contain a customer's name.
        raise OperationError(f"{self.name} did not return a status code with a JSON object.")

    def _response(self, invoked: Any) -> Any:
        """Decode the response of an invocation; raise OperationError if the function failed."""
        response = exact_json.decode(invoked["Payload"].read().decode() or "null")
        if "FunctionError" not in invoked:
            return response
        error = response if isinstance(response, dict) else {}
        reason = str(error.get("errorType", "Error"))
        message = str(error.get("errorMessage", "no message"))
        if not self.hides_messages or UNAVAILABLE.fullmatch(message):
            reason += f": {message}"
        raise OperationError(f"{self.name} failed: {reason.rstrip('.')}. `cafe doctor` shows the cause.")

    def _invoke(self, payload: str) -> object:
        """Invoke the function; wait while another run of it is under way."""
        deadline = time.monotonic() + BUSY_TIMEOUT
        while True:
            try:
                return self.functions.invoke(FunctionName=self.name, Payload=payload)
            except ClientError as error:
                busy = error.response["Error"].get("Code") == "TooManyRequestsException"
                if not busy or time.monotonic() > deadline:
                    raise
                time.sleep(1)
