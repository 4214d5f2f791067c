"""The stack's settings: typed, checked all at once, with every wrong key named in one message.

Defaults and descriptions live in `Pulumi.yaml`, parsers in `setting_parsers`. A test holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, get_type_hints

import pulumi
from pulumi.runtime import config

from infra import setting_parsers as parsers

# More batch size than this needs a batching window, says Lambda.
MAX_BATCH_SIZE_WITHOUT_WINDOW = 10
# The stack's name is part of every physical name; S3 and RDS allow few characters (RDS no two hyphens in a
# row), IAM 64 in all.
STACK_NAME = re.compile(r"(?=.{1,16}$)[a-z][a-z0-9]*(-[a-z0-9]+)*")
MAX_SHOWN = 60  # characters of a wrong value in a message


class Effect(StrEnum):
    """Effect of a changed setting on a running stack."""

    IN_PLACE = "in place"
    SHORT_OUTAGE = "short outage"
    NEW_ADDRESS = "new address"
    NEW_DATABASE = "new database"


class SettingsError(pulumi.RunError):
    """One or more settings are wrong; the message has a line for each."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a stack, under the names of `Pulumi.yaml` in snake case.

    Each has a type, the function that parses a text to it, and the effect of a change.
    """

    # The cafe
    time_zone: Annotated[str, parsers.time_zone, Effect.IN_PLACE]
    menu: Annotated[Mapping[str, Decimal], parsers.menu, Effect.IN_PLACE]

    # Access
    dashboard_access: Annotated[
        Literal["public", "cidrs", "login"], parsers.one_of("public", "cidrs", "login"), Effect.IN_PLACE
    ]
    dashboard_cidrs: Annotated[list[str], parsers.viewers, Effect.IN_PLACE]
    dashboard_users: Annotated[list[str], parsers.users, Effect.IN_PLACE]
    dashboard_second_factor: Annotated[bool, parsers.boolean, Effect.IN_PLACE]
    customer_names: Annotated[
        Literal["full", "initial", "none"], parsers.one_of("full", "initial", "none"), Effect.IN_PLACE
    ]
    orders_api_key: Annotated[bool, parsers.boolean, Effect.IN_PLACE]
    locale: Annotated[str, parsers.locale, Effect.IN_PLACE]

    # The kitchen
    open_hours: Annotated[int, parsers.Whole(1, 24), Effect.IN_PLACE]
    warn_minutes: Annotated[int, parsers.Whole(1, 120), Effect.IN_PLACE]
    overdue_minutes: Annotated[int, parsers.Whole(2, 240), Effect.IN_PLACE]
    waiting_alarm_minutes: Annotated[int, parsers.Whole(0, 240), Effect.IN_PLACE]
    tracking_key: Annotated[int, parsers.Whole(1, 9999), Effect.IN_PLACE]

    # The pipeline
    batch_size: Annotated[int, parsers.Whole(1, 10_000), Effect.IN_PLACE]
    batch_window: Annotated[int, parsers.Whole(0, 300), Effect.IN_PLACE]
    worker_concurrency: Annotated[int, parsers.Whole(2, 1000), Effect.IN_PLACE]
    worker_timeout: Annotated[int, parsers.Whole(15, 900), Effect.IN_PLACE]
    queue_senders: Annotated[list[str], parsers.senders, Effect.IN_PLACE]

    # The functions
    python_runtime: Annotated[
        str, parsers.one_of("python3.11", "python3.12", "python3.13", "python3.14"), Effect.IN_PLACE
    ]
    memory_size: Annotated[int, parsers.Whole(128, 10_240), Effect.IN_PLACE]
    log_retention_days: Annotated[int, parsers.one_of(*parsers.LOG_RETENTION_DAYS), Effect.IN_PLACE]
    alarm_email: Annotated[str, parsers.email, Effect.IN_PLACE]

    # Costs
    monthly_budget: Annotated[int, parsers.Whole(0, 1_000_000), Effect.IN_PLACE]
    budget_by_tag: Annotated[bool, parsers.boolean, Effect.IN_PLACE]

    # The API
    api_stage: Annotated[str, parsers.stage, Effect.NEW_ADDRESS]
    api_rate_limit: Annotated[int, parsers.Whole(1, 10_000), Effect.IN_PLACE]
    api_burst_limit: Annotated[int, parsers.Whole(1, 5_000), Effect.IN_PLACE]
    manage_api_gateway_account: Annotated[bool, parsers.boolean, Effect.IN_PLACE]

    # The database
    database_instance_class: Annotated[str, parsers.instance_class, Effect.SHORT_OUTAGE]
    database_storage: Annotated[int, parsers.Whole(20, 65_536), Effect.IN_PLACE]
    database_multi_az: Annotated[bool, parsers.boolean, Effect.IN_PLACE]
    database_backup_days: Annotated[int, parsers.Whole(1, 35), Effect.IN_PLACE]
    orders_backup_days: Annotated[int, parsers.Whole(7, 3_650), Effect.IN_PLACE]
    database_snapshot: Annotated[str, parsers.snapshot, Effect.NEW_DATABASE]
    database_final_snapshot: Annotated[bool, parsers.boolean, Effect.IN_PLACE]
    network_cidr: Annotated[str, parsers.network, Effect.NEW_DATABASE]
    private_endpoints: Annotated[bool, parsers.boolean, Effect.IN_PLACE]

    # Care
    deletion_protection: Annotated[bool, parsers.boolean, Effect.IN_PLACE]
    permissions_boundary: Annotated[str, parsers.policy, Effect.IN_PLACE]

    @property
    def keeps_backups(self) -> bool:
        """True if backups stay when the stack or the database is deleted.

        `deletion_protection` alone is not enough: a destroy needs it off.
        """
        return self.deletion_protection or self.database_final_snapshot


def _key(name: str) -> str:
    """Write a field's name as `Pulumi.yaml` does."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


FIELDS = {_key(name): name for name in Settings.__annotations__}
_METADATA = {
    _key(name): hint.__metadata__ for name, hint in get_type_hints(Settings, include_extras=True).items()
}
PARSERS: Mapping[str, Callable[[str], Any]] = {key: metadata[0] for key, metadata in _METADATA.items()}
EFFECTS: Mapping[str, Effect] = {key: metadata[1] for key, metadata in _METADATA.items() if metadata[1:]}


def load() -> Settings:
    """Read the settings of the stack that is being deployed.

    Raises
    ------
    SettingsError
        With one line for every setting that is wrong, missing or unknown.
    """
    # `pulumi.Config` reads one known key at a time; a misspelt key shows only in the whole configuration.
    everything = {**config.get_config_env(), **config.CONFIG.get()}
    return parse(
        pulumi.get_stack(), of_project(everything, pulumi.get_project()), everything.get("aws:region")
    )


def of_project(configuration: Mapping[str, str], project: str) -> dict[str, str]:
    """Return a project's settings without its name, and this program's settings under another project's name.

    Pulumi ignores the latter, such as the keys in a file of a project that has been renamed.
    """
    own = f"{project}:"
    return {
        key.removeprefix(own): value
        for key, value in configuration.items()
        if key.startswith(own) or key.partition(":")[2] in PARSERS
    }


def parse(stack: str, configuration: Mapping[str, str], region: str | None = None) -> Settings:
    """Check a stack's name and configuration (keys without the project, values as text).

    Raises
    ------
    SettingsError
        With one line for every setting that is wrong, missing or unknown.
    """
    wrong = []
    if not STACK_NAME.fullmatch(stack):
        wrong.append(f"stack name {stack!r}: must be 1 to 16 of a-z, 0-9 and single hyphens, a letter first")
    parsed: dict[str, Any] = {}
    for key, parser in PARSERS.items():
        if key not in configuration:
            wrong.append(f"{key}: is missing; Pulumi.yaml has its default")
            continue
        try:
            parsed[key] = parser(configuration[key])
        except parsers.EntriesError as error:
            wrong += [f"{key}[{place}]: {rule}, not {_shown(entry)}" for place, rule, entry in error.wrong]
        except ValueError as error:
            wrong.append(f"{key}: {error}, not {_shown(configuration[key])}")
    wrong += [f"{_shown(key)}: {_unknown(key)}" for key in configuration if key not in PARSERS]
    wrong += _wrong_together(parsed, region)
    if wrong:
        raise SettingsError("These settings are wrong:\n" + "\n".join(f"  {line}" for line in wrong))
    return Settings(**{FIELDS[key]: value for key, value in parsed.items()})


def _unknown(key: str) -> str:
    other, _, setting = key.rpartition(":")
    if other and setting in PARSERS:
        return f"belongs to project {other!r}, not to this one; write {setting} alone"
    return "there is no such setting; Pulumi.yaml lists them all"


def _wrong_together(parsed: Mapping[str, Any], region: str | None) -> Iterator[str]:
    """Compare settings with each other, as far as each is right by itself."""
    if parsed.get("batchSize", 0) > MAX_BATCH_SIZE_WITHOUT_WINDOW and parsed.get("batchWindow") == 0:
        yield "batchWindow: must be at least 1 with a batchSize over 10 (a rule of Lambda's)"
    access = parsed.get("dashboardAccess")
    if access == "public" and parsed.get("customerNames") == "full":
        yield "customerNames: must be initial or none while dashboardAccess is public: anybody reads names"
    if access == "cidrs" and parsed.get("dashboardCidrs") == []:
        yield "dashboardCidrs: must name a network while dashboardAccess is cidrs"
    if parsed.get("overdueMinutes", 1000) <= parsed.get("warnMinutes", 0):
        yield "overdueMinutes: must be more than warnMinutes"
    if parsed.get("waitingAlarmMinutes", 0) >= 60 * parsed.get("openHours", 24):
        yield "waitingAlarmMinutes: must be less than openHours, after which an order is no longer watched"
    if parsed.get("monthlyBudget") and parsed.get("alarmEmail") == "":
        yield "alarmEmail: must be set while there is a monthlyBudget, whose e-mails go there"
    # The fourth part of an ARN, which the name of a snapshot does not have
    elsewhere = parsed.get("databaseSnapshot", "").split(":")[3:4]
    if region and elsewhere not in ([], [region]):
        yield f"databaseSnapshot: must be in the stack's region {region}; copy the snapshot there first"


def _shown(value: object) -> str:
    """Write a wrong value so that it can be recognised, whatever it holds."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
