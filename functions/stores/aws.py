"""Clients of AWS services, with their timeouts and retries."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.session import Session

SERVICES = ["dynamodb", "s3", "secretsmanager", "sns", "sqs"]
# Shortened service models for botocore (`scripts/models.py`); creating a client mostly parses them.
MODELS = Path(__file__).parents[1] / "models"
CONNECTIONS = 16  # of a client; as many calls run in parallel


@dataclass(frozen=True)
class ClientConfig:
    """Timeouts and retries of calls."""

    connect_timeout: float  # seconds
    read_timeout: float  # seconds
    attempts: int  # botocore retries after a timeout or a 5xx


FOR_BATCHES = ClientConfig(2, 4, 2)
FOR_REQUESTS = ClientConfig(1, 2, 2)  # for functions behind HTTP: fail fast
BEST_EFFORT = ClientConfig(1, 2, 1)  # the call may fail, and must end soon
FOR_UPLOADS = ClientConfig(2, 30, 3)  # of megabytes


def client(service: str, config: ClientConfig, *, dual_stack: bool = False) -> Any:
    """Create a client of one of `SERVICES`, with `dual_stack` for its dual-stack endpoint."""
    # Imported here, since it takes longer than all of our modules.
    from botocore.config import Config

    options = Config(
        connect_timeout=config.connect_timeout,
        read_timeout=config.read_timeout,
        retries={"mode": "standard", "total_max_attempts": config.attempts},
        user_agent="cafe-orders",
        max_pool_connections=CONNECTIONS,
        # Code builds the requests; validating them would only take time.
        parameter_validation=False,
        use_dualstack_endpoint=dual_stack,
        # The regional endpoint in us-east-1, too: the VPC's gateway endpoint serves only that one.
        s3={"us_east_1_regional_endpoint": "regional"},
    )
    return _session().create_client(service, config=options)


@cache
def _session() -> Session:
    # botocore's, since boto3 takes longer to import.
    from botocore.loaders import Loader
    from botocore.session import get_session

    class OurServices(Loader):
        """Does not search the SDK's directories of four hundred services."""

        def list_available_services(self, type_name: str) -> list[str]:
            return SERVICES

    session = get_session()
    session.register_component("data_loader", OurServices(extra_search_paths=[str(MODELS)]))
    return session
