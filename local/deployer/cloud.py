"""The AWS account on which handlers create resources: MiniStack and the database."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from botocore.config import Config

from local import clients
from local.database.instance import Database
from local.deployer.naming import Naming
from local.deviations import Deviations
from local.emulator import ministack
from local.emulator.gateway import Served

ROOT = Path(__file__).parents[2]
# Seconds. An invocation may run migrations.
CONNECT_TIMEOUT = 30
READ_TIMEOUT = 300


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """A user who may sign in to the pages."""

    user: str
    password: str = field(repr=False)


class Cloud:
    """An AWS account and region behind one local port, and what the deployer records about the stack."""

    def __init__(
        self,
        *,
        port: int,
        region: str,
        names: Naming,
        database: Database,
        authority: Path,
    ) -> None:
        self.port = port
        self.region = region
        self.account = ministack.ACCOUNT
        self.database = database
        self.deviations = Deviations(
            gateway_port=port, authority=authority, python=ministack.python_version(ROOT)
        )
        # Names of resources that the program does not name.
        self.physical_name = names.physical_name
        self.lower_case_name = names.lower_case_name
        # Parameters by the name of their group.
        self.database_parameters: dict[str, dict[str, str]] = {}
        self.visitor: Visitor | None = None  # once there is a user pool
        # Endpoints that need no AWS credentials, and the paths of the API's resources by id.
        self.served = Served(gateway=self.address(f"http://127.0.0.1:{port}").netloc)
        self.api_paths: dict[str, str] = {}
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._session = clients.session(region)

    def client(self, service: str) -> Any:
        """Return the service's client, which is thread-safe; creating one is not."""
        with self._lock:
            if service not in self._clients:
                # boto3's stubs accept literal names only.
                self._clients[service] = self._session.client(  # type: ignore[call-overload]
                    service,
                    endpoint_url=f"http://127.0.0.1:{self.port}",
                    config=Config(
                        connect_timeout=CONNECT_TIMEOUT,
                        read_timeout=READ_TIMEOUT,
                        retries={"total_max_attempts": 1},
                        max_pool_connections=20,
                        s3={"addressing_style": "path"},
                    ),
                )
            return self._clients[service]

    def address(self, url: str) -> SplitResult:
        """Return the local URL of one on AWS, without the port 80, which browsers omit."""
        local = urlsplit(str(self.deviations.addresses(url)))
        return local._replace(netloc=local.netloc.removesuffix(":80"))

    def arn(self, service: str, resource: str, *, global_service: bool = False) -> str:
        """Return a resource's ARN."""
        region = "" if global_service else self.region
        return f"arn:aws:{service}:{region}:{self.account}:{resource}"
