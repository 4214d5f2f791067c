"""Resources of RDS, DynamoDB and Secrets Manager, and random values."""

from __future__ import annotations

import base64
import json
import secrets
import string
from typing import Any

from pulumi.runtime import rpc

from local.deployer.cloud import Cloud
from local.deployer.inputs import InputError, Inputs
from local.deployer.registry import Result, resource

_TEMPORARY = "the local stack is removed when it stops"
_MACHINE = "the database runs on this machine and its disk"
_IGNORED_FOR_INSTANCE = {
    "allocatedStorage": _MACHINE,
    "maxAllocatedStorage": _MACHINE,
    "storageType": _MACHINE,
    "multiAz": _MACHINE,
    "publiclyAccessible": "the server listens on 127.0.0.1 only",
    "port": "the local port differs, see the deviations",
    "caCertIdentifier": "the local CA differs, see the deviations",
    "backupRetentionPeriod": _TEMPORARY,
    "copyTagsToSnapshot": _TEMPORARY,
    "deleteAutomatedBackups": _TEMPORARY,
    "applyImmediately": "a local stack is never updated",
    "skipFinalSnapshot": _TEMPORARY,
    "finalSnapshotIdentifier": _TEMPORARY,
    "snapshotIdentifier": _TEMPORARY,
    "deletionProtection": _TEMPORARY,
    "engineLifecycleSupport": "the local server costs nothing",
}


@resource("aws:rds/subnetGroup:SubnetGroup")
def subnet_group(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    physical = inputs.get("name", cloud.lower_case_name(name))
    created = cloud.client("rds").create_db_subnet_group(
        DBSubnetGroupName=physical,
        DBSubnetGroupDescription=inputs.get("description", "Managed by Pulumi"),
        SubnetIds=inputs.texts("subnetIds"),
    )["DBSubnetGroup"]
    return physical, {"name": physical, "arn": created["DBSubnetGroupArn"]}


@resource("aws:rds/parameterGroup:ParameterGroup")
def parameter_group(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    rds = cloud.client("rds")
    physical = inputs.get("name", cloud.lower_case_name(name))
    created = rds.create_db_parameter_group(
        DBParameterGroupName=physical,
        DBParameterGroupFamily=inputs.text("family"),
        Description=inputs.get("description", "Managed by Pulumi"),
    )["DBParameterGroup"]
    parameters = [
        {
            "ParameterName": item.text("name"),
            "ParameterValue": item.text("value"),
            "ApplyMethod": item.get("applyMethod", "immediate"),
        }
        for item in inputs.sections("parameters")
    ]
    rds.modify_db_parameter_group(DBParameterGroupName=physical, Parameters=parameters)
    values = {item["ParameterName"]: item["ParameterValue"] for item in parameters}
    cloud.database_parameters[physical] = values
    return physical, {"name": physical, "arn": created["DBParameterGroupArn"]}


@resource("aws:rds/instance:Instance", _IGNORED_FOR_INSTANCE)
def instance(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    if not inputs.flag("manageMasterUserPassword"):
        raise InputError("must have its master user's password managed by RDS (manageMasterUserPassword)")
    identifier = inputs.get("identifier", cloud.lower_case_name(name))
    user, password = inputs.text("username"), secrets.token_urlsafe(24)
    parameters = inputs.text("parameterGroupName")
    created = cloud.client("rds").create_db_instance(
        DBInstanceIdentifier=identifier,
        Engine=inputs.text("engine"),
        EngineVersion=inputs.text("engineVersion"),
        DBInstanceClass=inputs.text("instanceClass"),
        DBName=inputs.text("dbName"),
        MasterUsername=user,
        ManageMasterUserPassword=True,
        AllocatedStorage=inputs.get("allocatedStorage", 20),
        StorageEncrypted=inputs.flag("storageEncrypted"),
        DBSubnetGroupName=inputs.text("dbSubnetGroupName"),
        DBParameterGroupName=parameters,
        VpcSecurityGroupIds=inputs.texts("vpcSecurityGroupIds"),
    )["DBInstance"]
    cloud.database.create(
        inputs.text("dbName"),
        user=user,
        password=password,
        parameters=cloud.database_parameters[parameters],
    )
    host, port = cloud.deviations.database_address(
        cloud.database.product, cloud.database.host, cloud.database.port
    )
    return created["DbiResourceId"], {
        "identifier": identifier,
        "arn": created["DBInstanceArn"],
        "resourceId": created["DbiResourceId"],
        "status": "available",
        "address": host,
        "port": port,
        "endpoint": f"{host}:{port}",
        "masterUserSecrets": [_master_secret(cloud, identifier, user, password)],
    }


def _master_secret(cloud: Cloud, instance_identifier: str, user: str, password: str) -> dict[str, Any]:
    """Create the secret of the master user as RDS does."""
    created = cloud.client("secretsmanager").create_secret(
        Name=f"rds!{instance_identifier}",
        SecretString=json.dumps({"username": user, "password": password}),
    )
    return {
        "secretArn": created["ARN"],
        "secretStatus": "active",
        "kmsKeyId": cloud.arn("kms", "alias/aws/secretsmanager"),
    }


@resource("aws:secretsmanager/secret:Secret", {"recoveryWindowInDays": _TEMPORARY})
def secret(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    physical = inputs.get("name", cloud.physical_name(name))
    created = cloud.client("secretsmanager").create_secret(Name=physical, **inputs.capitalized("description"))
    return created["ARN"], {"arn": created["ARN"], "name": physical}


@resource("aws:secretsmanager/secretVersion:SecretVersion")
def secret_version(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    created = cloud.client("secretsmanager").put_secret_value(
        SecretId=inputs.text("secretId"), SecretString=inputs.text("secretString")
    )
    identifier = f"{created['ARN']}|{created['VersionId']}"
    return identifier, {"arn": created["ARN"], "versionId": created["VersionId"]}


@resource("aws:dynamodb/table:Table", {"deletionProtectionEnabled": _TEMPORARY})
def table(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    dynamodb = cloud.client("dynamodb")
    physical = inputs.get("name", cloud.physical_name(name))
    indexes = [
        {
            "IndexName": index.text("name"),
            "KeySchema": [{"AttributeName": index.text("hashKey"), "KeyType": "HASH"}],
            "Projection": {"ProjectionType": index.text("projectionType")},
        }
        for index in inputs.sections("globalSecondaryIndexes")
    ]
    created = dynamodb.create_table(
        TableName=physical,
        BillingMode=inputs.text("billingMode"),
        KeySchema=[{"AttributeName": inputs.text("hashKey"), "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": item.text("name"), "AttributeType": item.text("type")}
            for item in inputs.sections("attributes")
        ],
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
    )["TableDescription"]
    recovery = inputs.section("pointInTimeRecovery")
    days = recovery.get("recoveryPeriodInDays")
    if recovery.flag("enabled"):
        period = {"RecoveryPeriodInDays": int(days)} if days else {}
        dynamodb.update_continuous_backups(
            TableName=physical,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True, **period},
        )
    expiry = inputs.section("ttl")
    if expiry.flag("enabled"):
        specification = {"Enabled": True, "AttributeName": expiry.text("attributeName")}
        dynamodb.update_time_to_live(TableName=physical, TimeToLiveSpecification=specification)
    return physical, {"name": physical, "arn": created["TableArn"]}


@resource("random:index/randomPassword:RandomPassword")
def random_password(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    if inputs.flag("special", default=True):
        raise InputError("must not have special characters (special)")
    return "none", {"result": rpc.wrap_rpc_secret(random_text(inputs.require("length")))}


def random_text(length: int) -> str:
    """Return a random password of letters and digits."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))


@resource("random:index/randomId:RandomId", {"keepers": "a local stack is never updated"})
def random_id(cloud: Cloud, name: str, inputs: Inputs) -> Result:
    value = secrets.token_bytes(inputs.require("byteLength"))
    encoded = base64.urlsafe_b64encode(value).rstrip(b"=").decode()
    return encoded, {"hex": value.hex(), "b64Url": encoded, "dec": str(int.from_bytes(value))}
