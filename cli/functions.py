"""A Lambda function of a stack, called by a person."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError
from pydantic import TypeAdapter, ValidationError

from cli import aws
from cli.errors import AnswerError
from orders import exact_json

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

BUSY_TIMEOUT = 120.0  # seconds in which a function that runs already may end

Answer = TypeVar("Answer")


def http_response(functions: LambdaClient, name: str, event: dict[str, Any]) -> tuple[int, str]:
    """Call a function behind the API; return the status code and the body of its response.

    Raises
    ------
    AnswerError
        If it cannot be called, or returns something else.
    """
    with aws.asking():
        response: Any = functions.invoke(FunctionName=name, Payload=json.dumps(event))
    answer: Any = json.loads(response["Payload"].read() or b"null")
    try:
        return int(answer["statusCode"]), str(answer["body"])
    except (KeyError, TypeError, ValueError):
        problem = str(answer.get("errorMessage", answer)) if isinstance(answer, dict) else str(answer)
    raise AnswerError(f"{name} answered {problem.rstrip('.')}.")


def validated(name: str, document: object, kind: type[Answer]) -> Answer:
    """Return a function's response as an object; raise AnswerError with the first field that is invalid."""
    try:
        return TypeAdapter(kind).validate_python(document)
    except ValidationError as problem:
        place = ".".join(map(str, problem.errors()[0]["loc"])) or "its top level"
        raise AnswerError(f"The response of {name} is invalid at {place}.") from None


@dataclass(frozen=True, kw_only=True)
class Function:
    """One function."""

    functions: LambdaClient
    name: str

    def ask(self, event: dict[str, Any], answer: type[Answer]) -> Answer:
        """Call it, and return its response.

        Raises
        ------
        AnswerError
            If it fails, or its response is invalid.
        """
        with aws.asking():
            response: Any = self._invoke(json.dumps(event))
        payload: Any = exact_json.decode(response["Payload"].read().decode() or "null")
        if "FunctionError" in response:
            said = payload if isinstance(payload, dict) else {}
            reason = f"{said.get('errorType', 'Error')}: {said.get('errorMessage', 'it did not say why')}"
            raise AnswerError(f"{self.name} failed: {reason.rstrip('.')}. `cafe doctor` names what is wrong.")
        return validated(self.name, payload, answer)

    def _invoke(self, payload: str) -> object:
        """Invoke it; while it runs for somebody else, wait."""
        deadline = time.monotonic() + BUSY_TIMEOUT
        while True:
            try:
                return self.functions.invoke(FunctionName=self.name, Payload=payload)
            except ClientError as error:
                busy = error.response["Error"].get("Code") == "TooManyRequestsException"
                if not busy or time.monotonic() > deadline:
                    raise
                time.sleep(1)
