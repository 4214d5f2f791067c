"""Effects of changed settings on a running stack, as far as they follow from the program alone.

Which inputs force a replacement is the provider's knowledge; those of what is protected are in
`replacements.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from infra.protection import PROTECTED
from infra.settings import EFFECTS, Effect
from tests.program.conftest import Program
from tests.program.replacements import FORCE_REPLACEMENT

# Another value for each setting that is changed in place, or with a short outage.
OTHERS = {
    "timeZone": "Europe/Berlin",
    "menu": '["Mocha=6"]',
    "dashboardAccess": "cidrs",
    "dashboardCidrs": '["203.0.113.0/24"]',
    "dashboardUsers": '["ada@example.org"]',
    "dashboardSecondFactor": "true",
    "customerNames": "none",
    "ordersApiKey": "true",
    "locale": "de-DE",
    "openHours": "4",
    "warnMinutes": "2",
    "overdueMinutes": "5",
    "waitingAlarmMinutes": "10",
    "trackingKey": "2",
    "batchSize": "100",
    "batchWindow": "5",
    "workerConcurrency": "20",
    "workerTimeout": "120",
    "queueSenders": '["arn:aws:iam::123456789012:role/shop"]',
    "pythonRuntime": "python3.14",
    "memorySize": "1024",
    "logRetentionDays": "365",
    "alarmEmail": "ops@example.org",
    "monthlyBudget": "30",
    "budgetByTag": "true",
    "apiRateLimit": "200",
    "apiBurstLimit": "500",
    "manageApiGatewayAccount": "false",
    "databaseInstanceClass": "db.m7g.large",
    "databaseStorage": "100",
    "databaseMultiAz": "true",
    "databaseBackupDays": "35",
    "databaseFinalSnapshot": "true",
    "ordersBackupDays": "30",
    "privateEndpoints": "true",
    "deletionProtection": "true",
    "permissionsBoundary": "arn:aws:iam::123456789012:policy/limit",
}
REPLACING = {
    "apiStage": ("v2", {"Stage orders"}),
    "databaseSnapshot": ("cafe-2026-11-01", {"Instance cafe-db"}),
    # The database follows its network: tests/program/test_storage.py.
    "networkCidr": ("10.41.0.0/16", {"Vpc vpc", "Subnet private-1", "Subnet private-2"}),
}


def lost(before: Program, after: Program) -> set[str]:
    """Return what a change deletes or replaces of what is protected, or of the network."""
    kept = {resource.urn: resource for resource in after.resources}
    return {
        f"{resource.type.rpartition(':')[2]} {resource.name}"
        for resource in before.resources
        if resource.type in PROTECTED | FORCE_REPLACEMENT.keys()
        and (
            resource.urn not in kept
            or any(
                json.dumps(resource.inputs.get(key)) != json.dumps(kept[resource.urn].inputs.get(key))
                for key in [*FORCE_REPLACEMENT.get(resource.type, ()), *resource.replace_on_changes]
            )
        )
    }


def test_every_setting_is_in_one_of_the_two_tables() -> None:
    in_place = {key for key, effect in EFFECTS.items() if effect in {Effect.IN_PLACE, Effect.SHORT_OUTAGE}}
    assert set(OTHERS) == in_place
    assert set(REPLACING) == set(EFFECTS) - in_place


def test_a_change_in_place_replaces_nothing_that_holds_data_or_an_address(
    dev: Program, with_settings: Callable[..., Program]
) -> None:
    assert lost(dev, with_settings(**OTHERS)) == set()


@pytest.mark.parametrize("key", REPLACING)
def test_a_change_that_makes_something_new_replaces_that_alone(
    dev: Program, with_settings: Callable[..., Program], key: str
) -> None:
    value, expected = REPLACING[key]
    assert lost(dev, with_settings(**{key: value})) == expected
