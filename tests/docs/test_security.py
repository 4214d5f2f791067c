"""docs/security.md names every role, its access, and every store of personal data with its lifetime."""

from __future__ import annotations

import re

import pytest

from infra.access import GROUPS, STAFF_REFRESH_DAYS, STATUS_REFRESH_DAYS
from infra.backup import OLD_VERSION_DAYS
from infra.database import APPLICATION_USER, MASTER_USER, STATUS_USER
from infra.dynamodb_tables import MAX_RECOVERY_DAYS
from infra.messaging import MAX_RETENTION
from infra.settings import PARSERS
from stores.dynamodb.idempotency import KEY_LIFETIME
from stores.mysql.users import STATUS_CONNECTIONS
from tests.docs import markdown
from tests.program.permissions import FUNCTIONS

PAGE = markdown.text("docs/security.md")
INVENTORY = markdown.text("tests/program/inventory.txt")
ROWS = dict(re.findall(r"^\| (.+?) \| (.+) \|$", PAGE, re.MULTILINE))
# Words that the row of a role contains exactly if the role has access to the resource
WORDS = {
    "arn:Topic.OrderTopic": "publishes",
    "arn:Queue.OrderQueue": "`OrderQueue`",
    "arn:Queue.OrderDLQ": "`OrderDLQ`",
    "arn:Table.Orders": "`Orders`",
    "arn:Table.ErasedOrders": "`ErasedOrders`",
    "arn:Table.CafeOrderMetrics": "counters",
    "arn:Table.IdempotencyKeys": "idempotency keys",
    "arn:Secret.CafeDevDBSM": f"`{APPLICATION_USER}`",
    "arn:Secret.CafeStatusDBSM": f"`{STATUS_USER}`",
    "arn:master:Instance.cafe-db": f"`{MASTER_USER}`",
    "arn:Secret.TrackingKeys": "links",
    "arn:Bucket.orders-backup": "copies",
}
LIFETIMES = {
    "DynamoDB, `IdempotencyKeys`": f"{KEY_LIFETIME // 3600} hours",
    "`OrderQueue`, `OrderDLQ`, `OrderSubscriptionDLQ`": f"{MAX_RETENTION // 86_400} days",
    "automated backups of the database": "`databaseBackupDays`",
    "the bucket `orders-backup`": f"{OLD_VERSION_DAYS} days more, or `ordersBackupDays`",
    "point-in-time recovery of DynamoDB": f"{MAX_RECOVERY_DAYS} days, or `retentionDays` if that is less",
    "log groups": "`logRetentionDays`",
    "browsers": f"{STATUS_REFRESH_DAYS} days (order status) and {STAFF_REFRESH_DAYS} days (kitchen)",
}


def of_kind(kind: str) -> set[str]:
    """Return the names of the program's resources of a kind."""
    return set(re.findall(rf"^\S+:{kind} (\S+) in ", INVENTORY, re.MULTILINE))


def test_every_role_and_every_user_of_the_database_has_a_row() -> None:
    roles = of_kind("Role")
    assert set(FUNCTIONS) < roles
    names = {f"`{name}`" for name in {*roles, *GROUPS, APPLICATION_USER, STATUS_USER, MASTER_USER}}
    assert names - ROWS.keys() == set()
    assert f"at most {STATUS_CONNECTIONS} connections" in ROWS[f"`{STATUS_USER}`"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_row_of_a_function_names_exactly_what_its_role_has_access_to(function: str) -> None:
    resources = {arn.removesuffix("/*") for arns in FUNCTIONS[function].values() for arn in arns}
    row = ROWS[f"`{function}`"]
    assert {word for word in WORDS.values() if word in row} == {
        WORDS[arn] for arn in resources if arn in WORDS
    }


def test_every_store_of_personal_data_has_a_row() -> None:
    stores = PAGE.partition("## Where personal data is")[2]
    names = of_kind("Table") - {"CafeMenu", "CafeOrderMetrics"} | of_kind("Queue") | of_kind("UserPool")
    assert {"Orders", "OrderDLQ", "cafe"} <= names
    assert [name for name in names | {"orders-backup", "order_events"} if f"`{name}`" not in stores] == []


def test_the_lifetimes_are_those_of_the_program() -> None:
    cells = {name: " ".join(row.split()) for name, row in ROWS.items()}
    assert [name for name, lifetime in LIFETIMES.items() if lifetime not in cells[name]] == []


def test_every_setting_in_the_page_exists() -> None:
    words = {word for word in markdown.code("docs/security.md") if re.fullmatch(r"[a-z]+[A-Z]\w+", word)}
    assert words - PARSERS.keys() == {"localStorage"}
