"""Settings for tests: the defaults, and another value for each setting that is changed in place."""

from __future__ import annotations

import pytest

from infra import settings
from infra.recording import PROJECT, configuration

DEFAULTS = {
    key.removeprefix(f"{PROJECT}:"): value
    for key, value in configuration("none").items()
    if key.startswith(PROJECT)
}
# One run of the program with these is shared by all tests of a setting.
CHANGED = {
    "timeZone": "Europe/Berlin",
    "menu": '["Espresso=2.50"]',
    "dashboardAccess": "cidrs",
    "dashboardCidrs": '["203.0.113.0/24"]',
    "dashboardUsers": '["ada@example.org"]',
    "dashboardMfa": "true",
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
    "alarmTopics": '["arn:aws:sns:us-east-1:123456789012:pager"]',
    "recordedWithin": "90",
    "runbookUrl": "https://git.example.org/cafe/runbook.md",
    "monthlyBudget": "30",
    "budgetByTag": "true",
    "apiRateLimit": "200",
    "apiBurstLimit": "500",
    "manageApiGatewayAccount": "false",
    "domain": "cafe.example.com",
    "hostedZone": "Z0123456789ABCDEFGHIJ",
    "certificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef",
    "databaseInstanceClass": "db.m7g.large",
    "databaseStorage": "100",
    "databaseMultiAz": "true",
    "databaseBackupDays": "35",
    "databaseFinalSnapshot": "true",
    "ordersBackupDays": "7",
    "retentionDays": "20",
    "privateEndpoints": "true",
    "deletionProtection": "true",
    "permissionsBoundary": "arn:aws:iam::123456789012:policy/limit",
}


def parse(stack: str = "dev", **changes: str) -> settings.Settings:
    """Parse the defaults with some changes."""
    return settings.parse(stack, {**DEFAULTS, **changes})


def error_message(stack: str = "dev", **changes: str) -> str:
    """Return the error message about changes of the defaults."""
    with pytest.raises(settings.SettingsError) as caught:
        parse(stack, **changes)
    return str(caught.value)
