"""The stack's settings: typed, checked all at once, with every wrong key named in one message.

Defaults and descriptions live in `Pulumi.yaml`; the ranges live here. A test holds the two together.
"""

from __future__ import annotations

import ipaddress
import json
import re
import zoneinfo
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal, Self

import pulumi
from pulumi.runtime import config
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
LOG_RETENTION_DAYS = frozenset(
    {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922}
)
# More batch size than this needs a batching window, says Lambda.
MAX_BATCH_SIZE_WITHOUT_WINDOW = 10
# The stack's name is part of every physical name; S3 and RDS allow few characters (RDS no two hyphens in a
# row), IAM 64 in all.
STACK_NAME = re.compile(r"(?=.{1,16}$)[a-z][a-z0-9]*(-[a-z0-9]+)*")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class SettingsError(pulumi.RunError):
    """One or more settings are wrong; the message has a line for each."""


def _time_zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be an IANA time zone such as UTC or Europe/Berlin") from None
    return name


def _log_retention(days: int) -> int:
    if days not in LOG_RETENTION_DAYS:
        raise ValueError(f"must be one of {', '.join(map(str, sorted(LOG_RETENTION_DAYS)))}")
    return days


def _email(address: str) -> str:
    if address and not _EMAIL.fullmatch(address):
        raise ValueError("must be an e-mail address, or empty for none")
    return address


def _viewers(cidr: str) -> str:
    try:
        network = ipaddress.ip_network(cidr)
    except ValueError:
        raise ValueError("must be an IPv4 or IPv6 network such as 203.0.113.0/24 or 2001:db8::/32") from None
    if not network.prefixlen:
        raise ValueError("must not be everybody; dashboardAccess public says that")
    return str(network)


def _user(address: str) -> str:
    if not _EMAIL.fullmatch(address):
        raise ValueError("must be an e-mail address")
    # As the user pool compares them.
    return address.lower()


def _network(cidr: str) -> str:
    try:
        network = ipaddress.IPv4Network(cidr)
    except ValueError:
        network = None
    if network is None or not network.is_private or not 16 <= network.prefixlen <= 24:
        raise ValueError("must be a private IPv4 network from /16 to /24, such as 10.40.0.0/16")
    return cidr


def _menu_item(entry: object) -> tuple[str, Decimal]:
    """Split `Latte=5` into its item and its price."""
    item, _, price = str(entry).rpartition("=")
    item = item.strip()
    try:
        amount = Decimal(price.strip())
    except InvalidOperation:
        amount = Decimal(-1)
    if not 1 <= len(item) <= 100 or not 0 <= amount <= 1_000_000:
        raise ValueError(f"{entry!r} must be ITEM=PRICE, such as Latte=5")
    return item, amount


def _menu(entries: object) -> object:
    """Turn `["Latte=5"]` into `{"Latte": Decimal(5)}`."""
    if not isinstance(entries, list):
        raise ValueError("must be a list of ITEM=PRICE, such as ['Coffee=3', 'Latte=5']")  # noqa: TRY004
    menu = dict(map(_menu_item, entries))
    if len(menu) != len(entries):
        raise ValueError("must name each item once")
    return menu


def _each_once(entries: list[str]) -> list[str]:
    if len(set(entries)) != len(entries):
        raise ValueError("must name each once")
    return entries


def _from_json(value: object) -> object:
    """Pulumi hands a structured setting over as JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("must be a list") from None


class Settings(BaseModel):
    """What an operator can set for a stack, under the names of `Pulumi.yaml` in snake case."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, extra="forbid")

    time_zone: Annotated[str, AfterValidator(_time_zone)]
    menu: Annotated[
        dict[str, Decimal], Field(max_length=100), BeforeValidator(_menu), BeforeValidator(_from_json)
    ]
    dashboard_access: Literal["public", "cidrs", "login"]
    dashboard_cidrs: Annotated[
        list[Annotated[str, AfterValidator(_viewers)]],
        Field(max_length=50),  # they are part of a CloudFront Function, which takes 10 kB
        BeforeValidator(_from_json),
    ]
    dashboard_users: Annotated[
        list[Annotated[str, AfterValidator(_user)]], AfterValidator(_each_once), BeforeValidator(_from_json)
    ]
    dashboard_second_factor: bool
    customer_names: Literal["full", "initial", "none"]
    orders_api_key: bool
    locale: str = Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")
    batch_size: int = Field(ge=1, le=10_000)
    batch_window: int = Field(ge=0, le=300)
    worker_concurrency: int = Field(ge=2, le=1000)
    worker_timeout: int = Field(ge=15, le=900)
    queue_senders: Annotated[
        list[Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:iam::\d{12}:(role|user)/.+$")]],
        BeforeValidator(_from_json),
    ]
    python_runtime: Literal["python3.11", "python3.12", "python3.13"]
    memory_size: int = Field(ge=128, le=10_240)
    log_retention_days: Annotated[int, AfterValidator(_log_retention)]
    alarm_email: Annotated[str, AfterValidator(_email)]
    api_stage: str = Field(pattern=r"^[A-Za-z0-9-]{1,32}$")
    api_rate_limit: int = Field(ge=1, le=10_000)
    api_burst_limit: int = Field(ge=1, le=5_000)
    manage_api_gateway_account: bool
    database_instance_class: str = Field(pattern=r"^db\.[a-z0-9-]+\.[a-z0-9]+$")
    database_storage: int = Field(ge=20, le=65_536)
    database_multi_az: bool
    database_backup_days: int = Field(ge=1, le=35)
    database_snapshot: str = Field(pattern=r"^$|^[A-Za-z][A-Za-z0-9:-]{0,254}$|^arn:aws[a-z-]*:rds:.+$")
    database_final_snapshot: bool
    network_cidr: Annotated[str, AfterValidator(_network)]
    deletion_protection: bool

    @model_validator(mode="after")
    def _large_batches_need_a_window(self) -> Self:
        if self.batch_size > MAX_BATCH_SIZE_WITHOUT_WINDOW and self.batch_window == 0:
            raise ValueError("batchWindow: must be at least 1 with a batchSize over 10 (a rule of Lambda's)")
        return self

    @model_validator(mode="after")
    def _names_are_nobody_elses_business(self) -> Self:
        if self.dashboard_access == "public" and self.customer_names == "full":
            raise ValueError(
                "customerNames: must be initial or none while dashboardAccess is public: anybody reads names"
            )
        return self

    @model_validator(mode="after")
    def _networks_come_with_their_access(self) -> Self:
        if self.dashboard_access == "cidrs" and not self.dashboard_cidrs:
            raise ValueError("dashboardCidrs: must name a network while dashboardAccess is cidrs")
        return self


def load() -> Settings:
    """Read the settings of the stack that is being deployed.

    Raises
    ------
    SettingsError
        With one line for every setting that is wrong, missing or unknown.
    """
    project = f"{pulumi.get_project()}:"
    # `pulumi.Config` reads one known key at a time; a misspelt key shows only in the whole configuration.
    everything = {**config.get_config_env(), **config.CONFIG.get()}
    return parse(
        pulumi.get_stack(),
        {key.removeprefix(project): value for key, value in everything.items() if key.startswith(project)},
    )


def parse(stack: str, configuration: Mapping[str, str]) -> Settings:
    """Check a stack's name and configuration (keys without the project, values as text).

    Raises
    ------
    SettingsError
        With one line for every setting that is wrong, missing or unknown.
    """
    wrong = []
    if not STACK_NAME.fullmatch(stack):
        wrong.append(f"stack name {stack!r}: must be 1 to 16 of a-z, 0-9 and single hyphens, a letter first")
    try:
        settings = Settings.model_validate(dict(configuration))
    except ValidationError as error:
        wrong += [_sentence(details) for details in error.errors()]
    if wrong:
        raise SettingsError("These settings are wrong:\n" + "\n".join(f"  {line}" for line in wrong))
    return settings


def _sentence(error: ErrorDetails) -> str:
    key = ".".join(map(str, error["loc"]))
    message = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    match error["type"]:
        case "missing":
            return f"{key}: is missing; Pulumi.yaml has its default"
        case "extra_forbidden":
            return f"{key}: there is no such setting; Pulumi.yaml lists them all"
        case _ if not key:
            return message
        case _:
            return f"{key}: {message}, not {error['input']!r}"
