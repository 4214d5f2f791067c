"""Clients of AWS's services, and how long a call may take for whom."""

from __future__ import annotations

from functools import cache
from typing import Any

from botocore.config import Config
from botocore.session import Session, get_session

CONNECTIONS = 16  # of one client; as many calls of a batch run at once


def _config(connect: float, read: float, attempts: int) -> Config:
    # botocore retries after a time-out or a 5xx. Our requests are built by code, not by people, so that
    # validating them in the client would only cost time.
    return Config(
        connect_timeout=connect,
        read_timeout=read,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=CONNECTIONS,
        parameter_validation=False,
    )


FOR_BATCHES = _config(2, 4, 2)  # the message waits in a queue
FOR_REQUESTS = _config(1, 2, 2)  # somebody waits for the response
BEST_EFFORT = _config(1, 2, 1)  # the call may fail, and must not outlast the time that is left for it


@cache
def _session() -> Session:
    # Not boto3, of which the functions need nothing: importing it takes longer than all of our code.
    return get_session()


def client(service: str, config: Config) -> Any:
    """Create a client of a service, such as `dynamodb`, in the function's region."""
    return _session().create_client(service, config=config)
