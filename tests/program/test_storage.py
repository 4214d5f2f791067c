"""The database and the DynamoDB tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pulumi
import pytest

from infra.backup import BackupArgs
from infra.database import managed_secret, storage_limit
from infra.database_migration import fingerprint
from infra.dynamodb_tables import TablesArgs
from infra.recording import PROJECT
from tests.program.conftest import Program, Resource
from tests.program.setting_values import CHANGED, parse

TABLES = {
    "Orders": "orderId",
    "CafeMenu": "item",
    "CafeOrderMetrics": "metric",
    "IdempotencyKeys": "key",
    "ErasedOrders": "orderId",
}


def database(program: Program) -> Resource:
    return program.one("rds/instance:Instance")


def test_the_database_is_mysql_8_4_encrypted_backed_up_and_private(program: Program) -> None:
    inputs = database(program).inputs
    assert (inputs["engine"], inputs["engineVersion"], inputs["dbName"]) == ("mysql", "8.4", "cafe_db")
    assert inputs["storageEncrypted"] is True
    assert inputs["publiclyAccessible"] is False
    assert inputs["backupRetentionPeriod"] >= 1
    assert inputs["caCertIdentifier"] == "rds-ca-rsa2048-g1"
    assert inputs["vpcSecurityGroupIds"] == ["id-SecurityGroup.database"]


def test_storage_autoscaling_has_a_limit(program: Program) -> None:
    assert database(program).inputs["allocatedStorage"] == 20
    assert database(program).inputs["maxAllocatedStorage"] == 100


@pytest.mark.parametrize(
    ("storage", "limit"),
    [(20, 100), (307, 387), (308, 389), (1000, 1260), (52_013, 65_536), (59_578, 65_536), (59_579, None)],
)
def test_rds_accepts_the_limit(storage: int, limit: int | None) -> None:
    assert storage_limit(storage) == limit
    if limit:
        assert storage * 1.1 <= limit <= 65_536


def test_a_new_database_has_no_extended_support(program: Program) -> None:
    """RDS cannot change it later, so the program ignores changes."""
    assert database(program).inputs["engineLifecycleSupport"] == "open-source-rds-extended-support-disabled"
    assert database(program).ignore_changes == ["engineLifecycleSupport"]


def test_a_new_network_replaces_the_database_so_that_its_protection_applies(
    program: Program,
) -> None:
    """RDS refuses to move an instance, or a subnet group, to another VPC."""
    assert program.one("rds/subnetGroup:SubnetGroup").replace_on_changes == ["subnetIds"]
    assert database(program).replace_on_changes == ["dbSubnetGroupName"]


def test_the_database_requires_tls(program: Program) -> None:
    group = program.one("rds/parameterGroup:ParameterGroup").inputs
    assert group["family"] == "mysql8.4"
    assert {"name": "require_secure_transport", "value": "1"} in group["parameters"]
    assert database(program).inputs["parameterGroupName"] == "ParameterGroup.cafe-db"


def test_rds_manages_the_password_of_the_master_user(program: Program) -> None:
    inputs = database(program).inputs
    assert inputs["manageMasterUserPassword"] is True
    assert "password" not in inputs


def test_a_database_without_the_master_users_secret_stops_the_deploy() -> None:
    """Left by an interrupted restore, or one outside Pulumi."""
    with pytest.raises(pulumi.RunError, match=r"Database cafe-1 has no secret .*modify-db-instance"):
        managed_secret("cafe-1", [])
    with pytest.raises(pulumi.RunError):
        managed_secret("cafe-1", None)


@pytest.mark.parametrize(
    ("secret", "user"), [("CafeDevDBSM", "cafe_user"), ("CafeStatusDBSM", "cafe_status")]
)
def test_a_secret_has_these_keys(program: Program, secret: str, user: str) -> None:
    version = program.one("secretsmanager/secretVersion:SecretVersion", secret)
    login = json.loads(version.inputs["secretString"])
    assert set(login) == {"host", "port", "username", "password", "dbname"}
    assert (login["username"], login["dbname"]) == (user, "cafe_db")
    assert login["username"] != database(program).inputs["username"]
    assert "secretString" in version.secret_inputs


@pytest.mark.parametrize(("table", "key"), TABLES.items())
def test_a_table_is_on_demand_with_point_in_time_recovery(program: Program, table: str, key: str) -> None:
    inputs = program.one("dynamodb/table:Table", table).inputs
    assert inputs["hashKey"] == key
    assert inputs["attributes"][0] == {"name": key, "type": "S"}
    assert inputs["billingMode"] == "PAY_PER_REQUEST"
    assert inputs["pointInTimeRecovery"] == {"enabled": True}


def test_backups_expire_within_the_retention_period(with_settings: Callable[..., Program]) -> None:
    program = with_settings(**CHANGED)
    assert (CHANGED["retentionDays"], CHANGED["databaseBackupDays"]) == ("20", "35")
    assert database(program).inputs["backupRetentionPeriod"] == 20
    recovery = {"enabled": True, "recoveryPeriodInDays": 20}
    assert all(
        table.inputs["pointInTimeRecovery"] == recovery for table in program.all("dynamodb/table:Table")
    )
    assert BackupArgs.of(parse(retentionDays="20", ordersBackupDays="90")).days == 20
    assert BackupArgs.of(parse(retentionDays="0", ordersBackupDays="90")).days == 90
    periods = [TablesArgs.of(parse(retentionDays=days)).recovery_days for days in ("0", "34", "35")]
    assert periods == [None, 34, None]


def test_the_menu_has_an_index_of_priced_items_without_the_counter(program: Program) -> None:
    menu = program.one("dynamodb/table:Table", "CafeMenu").inputs
    assert menu["attributes"][1:] == [{"name": "price", "type": "N"}]
    assert menu["globalSecondaryIndexes"] == [
        {"name": "menu", "hashKey": "price", "projectionType": "KEYS_ONLY"}
    ]


def test_hours_and_idempotency_keys_expire_and_orders_do_not(program: Program) -> None:
    ttl = {name: program.one("dynamodb/table:Table", name).inputs.get("ttl") for name in TABLES}
    expires = {"attributeName": "expires_at", "enabled": True}
    assert ttl == {
        "Orders": None,
        "CafeMenu": None,
        "CafeOrderMetrics": expires,
        "IdempotencyKeys": expires,
        "ErasedOrders": None,
    }


def test_prod_protects_the_database_and_the_tables_in_aws(prod: Program) -> None:
    assert database(prod).inputs["deletionProtection"] is True
    assert database(prod).inputs["skipFinalSnapshot"] is False
    assert database(prod).inputs["finalSnapshotIdentifier"] == f"{PROJECT}-prod-0a1b2c3d"
    assert database(prod).inputs["multiAz"] is True
    protected = {
        table.name for table in prod.all("dynamodb/table:Table") if table.inputs["deletionProtectionEnabled"]
    }
    assert protected == set(TABLES) - {"IdempotencyKeys"}


def test_a_final_snapshot_does_not_depend_on_the_protection(with_settings: Callable[..., Program]) -> None:
    """The protection is off during a destroy."""
    inputs = database(with_settings(deletionProtection="false", databaseFinalSnapshot="true")).inputs
    assert inputs["deletionProtection"] is False
    assert inputs["skipFinalSnapshot"] is False


def test_automated_backups_are_retained_unless_the_final_snapshot_is_declined(
    dev: Program, prod: Program, with_settings: Callable[..., Program]
) -> None:
    """Also after the protection was removed, which a destroy requires."""
    unprotected = with_settings(deletionProtection="false", databaseFinalSnapshot="true")
    deleted = [database(each).inputs["deleteAutomatedBackups"] for each in (dev, prod, unprotected)]
    assert deleted == [True, False, False]


def test_a_database_can_be_restored_from_a_snapshot(
    with_settings: Callable[..., Program], dev: Program
) -> None:
    restored = with_settings(databaseSnapshot="cafe-orders-prod-0a1b2c3d")
    assert database(restored).inputs["snapshotIdentifier"] == "cafe-orders-prod-0a1b2c3d"
    assert "snapshotIdentifier" not in database(dev).inputs


def test_each_database_has_its_own_name_of_the_final_snapshot(
    with_settings: Callable[..., Program], dev: Program
) -> None:
    """RDS refuses the name of an existing snapshot, and with it the destroy."""

    # A new network has a new subnet group.
    def keepers(program: Program) -> object:
        (name,) = [r for r in program.resources if r.name == "final-snapshot"]
        return name.inputs["keepers"]

    restored = keepers(with_settings(databaseSnapshot="cafe-orders-prod-0a1b2c3d"))
    assert restored == {"snapshot": "cafe-orders-prod-0a1b2c3d", "subnets": "SubnetGroup.cafe-db"}
    assert keepers(dev) == {"snapshot": "", "subnets": "SubnetGroup.cafe-db"}


def test_changes_of_the_database_are_applied_immediately(program: Program) -> None:
    # Otherwise RDS waits for the maintenance window, and each preview until then shows the change again.
    assert database(program).inputs["applyImmediately"] is True


def test_dev_can_be_destroyed(dev: Program) -> None:
    assert not any(resource.protect for resource in dev.resources)
    assert database(dev).inputs["deletionProtection"] is False
    assert database(dev).inputs["skipFinalSnapshot"] is True


def test_a_changed_migration_has_another_fingerprint(tmp_path: Path) -> None:
    file = tmp_path / "0001_a.sql"
    file.write_text("SELECT 1;")
    before = fingerprint({"migrations/0001_a.sql": file})
    file.write_text("SELECT 2;")
    assert fingerprint({"migrations/0001_a.sql": file}) != before
