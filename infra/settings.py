"""The stack's settings: types, parsers, effects of a change, and checks of combinations.

`Pulumi.yaml` has their defaults and descriptions; `setting_parsers.py` the parsers.
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

from infra import alarm_parsers, domain_names
from infra import setting_parsers as parsers

MAX_BATCH_SIZE_WITHOUT_WINDOW = 10  # Lambda's limit
# The stack's name is part of physical names: in lower case for S3, without consecutive hyphens for RDS, and
# short for IAM, whose names have at most 64 characters.
STACK_NAME = re.compile(r"(?=.{1,16}$)[a-z][a-z0-9]*(-[a-z0-9]+)*")
MAX_VALUE = 60  # characters of an invalid value in a message


class Effect(StrEnum):
    """Effect of a changed setting on a running stack."""

    IN_PLACE = "in place"
    SHORT_OUTAGE = "short outage"
    NEW_ADDRESS = "new address"
    NEW_DATABASE = "new database"


class SettingsError(pulumi.RunError):
    """Some settings are invalid; the message has a line for each."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of `Pulumi.yaml`, in snake case: the type, the parser, and the effect of a change."""

    # The cafe
    time_zone: Annotated[str, parsers.time_zone, Effect.IN_PLACE]
    menu: Annotated[Mapping[str, Decimal], parsers.menu, Effect.IN_PLACE]

    # Access
    dashboard_access: Annotated[
        Literal["public", "cidrs", "login"], parsers.one_of("public", "cidrs", "login"), Effect.IN_PLACE
    ]
    dashboard_cidrs: Annotated[list[str], parsers.viewer_networks, Effect.IN_PLACE]
    dashboard_users: Annotated[list[str], parsers.users, Effect.IN_PLACE]
    dashboard_mfa: Annotated[bool, parsers.boolean, Effect.IN_PLACE]
    customer_names: Annotated[
        Literal["full", "initial", "none"], parsers.one_of("full", "initial", "none"), Effect.IN_PLACE
    ]
    orders_api_key: Annotated[bool, parsers.boolean, Effect.IN_PLACE]
    locale: Annotated[str, parsers.locale, Effect.IN_PLACE]

    # The kitchen
    open_hours: Annotated[int, parsers.Integer(1, 24), Effect.IN_PLACE]
    warn_minutes: Annotated[int, parsers.Integer(1, 120), Effect.IN_PLACE]
    overdue_minutes: Annotated[int, parsers.Integer(2, 240), Effect.IN_PLACE]
    waiting_alarm_minutes: Annotated[int, parsers.Integer(0, 240), Effect.IN_PLACE]
    tracking_key: Annotated[int, parsers.Integer(1, 9999), Effect.IN_PLACE]

    # The pipeline
    batch_size: Annotated[int, parsers.Integer(1, 10_000), Effect.IN_PLACE]
    batch_window: Annotated[int, parsers.Integer(0, 300), Effect.IN_PLACE]
    worker_concurrency: Annotated[int, parsers.Integer(2, 1000), Effect.IN_PLACE]
    worker_timeout: Annotated[int, parsers.Integer(15, 900), Effect.IN_PLACE]
    queue_senders: Annotated[list[str], parsers.senders, Effect.IN_PLACE]

    # The functions
    python_runtime: Annotated[
        str, parsers.one_of("python3.11", "python3.12", "python3.13", "python3.14"), Effect.IN_PLACE
    ]
    memory_size: Annotated[int, parsers.Integer(128, 10_240), Effect.IN_PLACE]
    log_retention_days: Annotated[int, parsers.one_of(*parsers.LOG_RETENTION_DAYS), Effect.IN_PLACE]

    # Alarms
    alarm_email: Annotated[str, parsers.email, Effect.IN_PLACE]
    alarm_topics: Annotated[list[str], alarm_parsers.topics, Effect.IN_PLACE]
    recorded_within: Annotated[int, parsers.Integer(0, 3_600), Effect.IN_PLACE]
    runbook_url: Annotated[str, alarm_parsers.page_url, Effect.IN_PLACE]

    # Costs
    monthly_budget: Annotated[int, parsers.Integer(0, 1_000_000), Effect.IN_PLACE]
    budget_by_tag: Annotated[bool, parsers.boolean, Effect.IN_PLACE]

    # The API
    api_stage: Annotated[str, parsers.stage, Effect.NEW_ADDRESS]
    api_rate_limit: Annotated[int, parsers.Integer(1, 10_000), Effect.IN_PLACE]
    api_burst_limit: Annotated[int, parsers.Integer(1, 5_000), Effect.IN_PLACE]
    manage_api_gateway_account: Annotated[bool, parsers.boolean, Effect.IN_PLACE]

    # A domain of one's own
    domain: Annotated[str, domain_names.domain, Effect.IN_PLACE]
    hosted_zone: Annotated[str, domain_names.hosted_zone, Effect.IN_PLACE]
    certificate_arn: Annotated[str, domain_names.certificate, Effect.IN_PLACE]

    # The database
    database_instance_class: Annotated[str, parsers.instance_class, Effect.SHORT_OUTAGE]
    database_storage: Annotated[int, parsers.Integer(20, 65_536), Effect.IN_PLACE]
    database_multi_az: Annotated[bool, parsers.boolean, Effect.IN_PLACE]
    database_backup_days: Annotated[int, parsers.Integer(1, 35), Effect.IN_PLACE]
    orders_backup_days: Annotated[int, parsers.Integer(7, 3_650), Effect.IN_PLACE]
    retention_days: Annotated[int, parsers.Integer(0, 3_650), Effect.IN_PLACE]
    database_snapshot: Annotated[str, parsers.snapshot, Effect.NEW_DATABASE]
    database_final_snapshot: Annotated[bool, parsers.boolean, Effect.IN_PLACE]
    network_cidr: Annotated[str, parsers.network, Effect.NEW_DATABASE]
    private_endpoints: Annotated[bool, parsers.boolean, Effect.IN_PLACE]

    # Protection
    deletion_protection: Annotated[bool, parsers.boolean, Effect.IN_PLACE]
    permissions_boundary: Annotated[str, parsers.policy, Effect.IN_PLACE]

    @property
    def keeps_backups(self) -> bool:
        """Return whether backups remain after the stack or the database is deleted.

        `deletion_protection` alone is not enough, because it is off during a destroy.
        """
        return self.deletion_protection or self.database_final_snapshot

    def within_retention(self, days: int) -> int:
        """Return the lifetime of a kind of backup in days: no longer than `retentionDays`."""
        return min(days, self.retention_days) if self.retention_days else days


def _key(name: str) -> str:
    """Return a field's name in `Pulumi.yaml`."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


FIELDS = {_key(name): name for name in Settings.__annotations__}
_METADATA = {
    _key(name): hint.__metadata__ for name, hint in get_type_hints(Settings, include_extras=True).items()
}
PARSERS: Mapping[str, Callable[[str], Any]] = {key: parser for key, (parser, _) in _METADATA.items()}
EFFECTS: Mapping[str, Effect] = {key: effect for key, (_, effect) in _METADATA.items()}
RENAMED = {"dashboardSecondFactor": "dashboardMfa"}  # booleans, still accepted by their old names
KEYS = {*PARSERS, *RENAMED}


def load() -> Settings:
    """Read the settings of the current stack.

    Raises
    ------
    SettingsError
        A setting is invalid, missing or unknown.
    """
    # `pulumi.Config` reads only known keys, so misspelt ones are found in the whole configuration.
    everything = {**config.get_config_env(), **config.CONFIG.get()}
    own = of_project(everything, pulumi.get_project())
    for old in RENAMED.keys() & own.keys():
        pulumi.log.warn(f"Setting {old} is now {RENAMED[old]}: set that, and run `pulumi config rm {old}`.")
    return parse(pulumi.get_stack(), own, everything.get("aws:region"))


def of_project(configuration: Mapping[str, str], project: str) -> dict[str, str]:
    """Return a project's settings without the prefix, and known settings with another project's prefix.

    Pulumi ignores the latter, which remain in a file after the project was renamed.
    """
    own = f"{project}:"
    return {
        key.removeprefix(own): value
        for key, value in configuration.items()
        if key.startswith(own) or key.partition(":")[2] in KEYS
    }


def parse(stack: str, configuration: Mapping[str, str], region: str | None = None) -> Settings:
    """Parse a configuration (keys without the project, values as text), and validate the stack's name.

    Raises
    ------
    SettingsError
        A setting is invalid, missing or unknown.
    """
    configuration = _with_new_names(configuration)
    errors = []
    if not STACK_NAME.fullmatch(stack):
        errors.append(f"stack name {stack!r}: must be 1 to 16 of a-z, 0-9 and single hyphens, a letter first")
    parsed: dict[str, Any] = {}
    for key, parser in PARSERS.items():
        if key not in configuration:
            errors.append(f"{key}: is missing; Pulumi.yaml has its default")
            continue
        try:
            parsed[key] = parser(configuration[key])
        except parsers.EntriesError as error:
            errors += [f"{key}[{at}]: {rule}, not {_abbreviated(entry)}" for at, rule, entry in error.wrong]
        except ValueError as error:
            errors.append(f"{key}: {error}, not {_abbreviated(configuration[key])}")
    errors += [f"{_abbreviated(key)}: {_unknown(key)}" for key in configuration if key not in PARSERS]
    errors += _conflicts(parsed, region)
    if errors:
        raise SettingsError("These settings are invalid:\n" + "\n".join(f"  {line}" for line in errors))
    return Settings(**{FIELDS[key]: value for key, value in parsed.items()})


def _with_new_names(configuration: Mapping[str, str]) -> dict[str, str]:
    """Replace old names; the setting is true if either is, since `Pulumi.yaml` always sets the new one."""
    renamed = dict(configuration)
    for old, new in RENAMED.items():
        if (value := renamed.pop(old, "false")) != "false":
            renamed[new] = value
    return renamed


def _unknown(key: str) -> str:
    other, _, setting = key.rpartition(":")
    if other and setting in KEYS:
        return f"belongs to project {other!r}, not to this one; write {setting} alone"
    return "unknown setting; Pulumi.yaml lists all settings"


def _conflicts(parsed: Mapping[str, Any], region: str | None) -> Iterator[str]:
    """Yield an error message for each conflict between valid settings."""
    yield from _batch_conflicts(parsed)
    access = parsed.get("dashboardAccess")
    if access == "public" and parsed.get("customerNames") == "full":
        yield "customerNames: must be initial or none while dashboardAccess is public (anyone can read it)"
    if access == "cidrs" and parsed.get("dashboardCidrs") == []:
        yield "dashboardCidrs: must contain a network while dashboardAccess is cidrs"
    if parsed.get("overdueMinutes", 1000) <= parsed.get("warnMinutes", 0):
        yield "overdueMinutes: must be more than warnMinutes"
    if parsed.get("waitingAlarmMinutes", 0) >= 60 * parsed.get("openHours", 24):
        yield "waitingAlarmMinutes: must be less than openHours, after which an order is no longer monitored"
    if parsed.get("monthlyBudget") and parsed.get("alarmEmail") == "":
        yield "alarmEmail: must be set while there is a monthlyBudget, whose e-mails go to it"
    yield from _domain_conflicts(parsed)
    if region:
        yield from _of_other_regions(parsed, region)


def _domain_conflicts(parsed: Mapping[str, Any]) -> Iterator[str]:
    domain, zone, certificate = (parsed.get(key) for key in ("domain", "hostedZone", "certificateArn"))
    if domain and zone == certificate == "":
        yield (
            "hostedZone: must be set while there is a domain, to the id of its public zone in Route 53; or, "
            "if the zone is elsewhere, set certificateArn to an issued certificate for the domain"
        )
    if domain == "" and (zone or certificate):
        yield f"domain: must be set while there is a {'hostedZone' if zone else 'certificateArn'}"
    if domain and zone and certificate == "" and len(domain) > domain_names.MAX_REQUESTED:
        yield (
            f"domain: must have at most {domain_names.MAX_REQUESTED} characters for a certificate that the "
            "deploy requests (a limit of ACM); a longer one needs a certificateArn"
        )


def _batch_conflicts(parsed: Mapping[str, Any]) -> Iterator[str]:
    window = parsed.get("batchWindow", 0)
    if parsed.get("batchSize", 0) > MAX_BATCH_SIZE_WITHOUT_WINDOW and not window:
        yield "batchWindow: must be at least 1 with a batchSize over 10 (a limit of Lambda)"
    if 0 < parsed.get("recordedWithin", 0) <= window:
        yield "recordedWithin: must be more than batchWindow, for which orders wait for others, or 0"


def _of_other_regions(parsed: Mapping[str, Any], region: str) -> Iterator[str]:
    """Yield an error message for each setting with an ARN of another region."""
    if any(_regions(topic) != [region] for topic in parsed.get("alarmTopics", [])):
        yield f"alarmTopics: must be in the stack's region {region}: alarms cannot notify others"
    if _regions(parsed.get("databaseSnapshot", "")) not in ([], [region]):
        yield f"databaseSnapshot: must be in the stack's region {region}; copy the snapshot there first"


def _regions(arn: str) -> list[str]:
    """Return the fourth part of an ARN; a snapshot's name has none."""
    return arn.split(":")[3:4]


def _abbreviated(value: object) -> str:
    """Return an invalid value in printable characters, cut to `MAX_VALUE`."""
    text = repr(value)
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}…"
