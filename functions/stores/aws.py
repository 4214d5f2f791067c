"""Clients of AWS's services, and how long a call may take for whom."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.session import Session

SERVICES = ["dynamodb", "s3", "secretsmanager", "sns", "sqs"]
# Their descriptions for the SDK (`scripts/models.py`), shortened: parsing takes most of a client's start.
MODELS = Path(__file__).parents[1] / "models"
CONNECTIONS = 16  # of one client; as many calls of a batch run at once


@dataclass(frozen=True)
class ClientConfig:
    """Timeouts and attempts of a call."""

    connect_timeout: float  # seconds
    read_timeout: float  # seconds
    attempts: int  # botocore retries after a time-out or a 5xx


FOR_BATCHES = ClientConfig(2, 4, 2)  # the message waits in a queue
FOR_REQUESTS = ClientConfig(1, 2, 2)  # somebody waits for the response
BEST_EFFORT = ClientConfig(1, 2, 1)  # the call may fail, and must not outlast the time that is left for it
FOR_UPLOADS = ClientConfig(2, 30, 3)  # megabytes at once; no caller waits


def client(service: str, config: ClientConfig, *, dual_stack: bool = False) -> Any:
    """Create a client of one of `SERVICES` in the function's region.

    With `dual_stack`, it calls the service by its name that has IPv6 addresses.
    """
    # Here, because it takes longer than all of our modules: what creates no client does not wait for it.
    from botocore.config import Config

    options = Config(
        connect_timeout=config.connect_timeout,
        read_timeout=config.read_timeout,
        retries={"mode": "standard", "total_max_attempts": config.attempts},
        user_agent="cafe-orders",
        max_pool_connections=CONNECTIONS,
        # Our requests are built by code, not by people: validating them in the client would only cost time.
        parameter_validation=False,
        use_dualstack_endpoint=dual_stack,
        # In us-east-1, too, the name of the region's own S3, to which the gateway endpoint leads.
        s3={"us_east_1_regional_endpoint": "regional"},
    )
    return _session().create_client(service, config=options)


@cache
def _session() -> Session:
    # Not boto3's, of which the functions need nothing, and which takes longer to import.
    from botocore.loaders import Loader
    from botocore.session import get_session

    class OurServices(Loader):
        """Reads no directory of the SDK's four hundred services to look whether ours are among them."""

        def list_available_services(self, type_name: str) -> list[str]:
            return SERVICES

    session = get_session()
    session.register_component("data_loader", OurServices(extra_search_paths=[str(MODELS)]))
    return session
