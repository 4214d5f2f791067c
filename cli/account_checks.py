"""Checks of a deploy against the AWS account, as far as the credentials allow."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra import setting_changes
from infra.database import ENGINE_VERSION, MASTER_USER
from infra.domain import CERTIFICATES
from infra.settings import Settings

# Concurrency of the other functions: orders, page, menu, reconciler. A new account may have 10 in all.
OTHER_CONCURRENCY = 20
# With these, Pulumi may use another account than the credentials that are found here.
OWN_CREDENTIALS = ("aws:accessKey", "aws:assumeRole", "aws:assumeRoles", "aws:assumeRoleWithWebIdentity")

Client = Callable[..., Any]
"""Returns the client of an AWS service, in the stack's region or another one (`region_name`)."""


@dataclass(frozen=True)
class Finding:
    """A sentence about a deploy, and whether it refuses the deploy."""

    sentence: str
    refuses: bool = True


@dataclass(frozen=True, kw_only=True)
class Deploy:
    """The settings to deploy, and the stack as it is deployed now."""

    wanted: Settings
    before: Mapping[str, Any]
    outputs: Mapping[str, Any]

    def sets(self, key: str) -> bool:
        """Return whether this deploy changes a setting, or creates the stack."""
        return not self.outputs or key in setting_changes.changes(self.before, self.wanted)


def clients(configuration: Mapping[str, str], outputs: Mapping[str, Any]) -> Client | None:
    """Return clients for the stack's account; None unless the credentials are certainly for it."""
    if any(key in configuration for key in OWN_CREDENTIALS):
        return None
    try:
        session = boto3.Session(
            profile_name=configuration.get("aws:profile"), region_name=configuration.get("aws:region")
        )
        if session.get_credentials() is None:
            return None
        quick = Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 2})
        make = cache(lambda service, **region: session.client(service, config=quick, **region))
        used = make("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError):
        return None
    return make if outputs.get("topic_arn", f"::::{used}").split(":")[4] == used else None


def findings(deploy: Deploy, client: Client) -> Iterator[Finding]:
    """Yield what the account would refuse, and the limits that are too small."""
    for check in (_storage, _snapshot, _instance_class, _log_role, _certificate, _records, _concurrency):
        try:
            yield from check(deploy, client)
        except (BotoCoreError, ClientError) as error:
            yield Finding(f"{check.__name__.strip('_')} was not checked: {error}.", refuses=False)


def _storage(deploy: Deploy, client: Client) -> Iterator[Finding]:
    """Check that the storage is not less than the database has by autoscaling."""
    identifier, wanted = deploy.outputs.get("database_identifier"), deploy.wanted.database_storage
    if not identifier or not deploy.sets("databaseStorage"):
        return
    (found,) = client("rds").describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"]
    if wanted < found["AllocatedStorage"]:
        yield Finding(
            f"databaseStorage: the database has grown to {found['AllocatedStorage']} automatically, and "
            "cannot shrink: set it to at least that."
        )


def _snapshot(deploy: Deploy, client: Client) -> Iterator[Finding]:
    """Check that a database can be made from the snapshot."""
    name = deploy.wanted.database_snapshot
    if not name or not deploy.sets("databaseSnapshot"):
        return
    try:
        found = client("rds").describe_db_snapshots(
            DBSnapshotIdentifier=name, IncludeShared=name.startswith("arn:")
        )["DBSnapshots"][0]
    except ClientError as error:
        if error.response["Error"]["Code"] != "DBSnapshotNotFound":
            raise
        yield Finding(f"databaseSnapshot: snapshot {name} does not exist in this account and region.")
        return
    wrong = {
        f"it is {found['Status']}, not available": found["Status"] != "available",
        f"it is of {found['Engine']} {found['EngineVersion']}, not of MySQL {ENGINE_VERSION}": (
            found["Engine"] != "mysql" or not found["EngineVersion"].startswith(f"{ENGINE_VERSION}.")
        ),
        "it is not encrypted: copy it with encryption": not found["Encrypted"],
        f"its master user is {found['MasterUsername']}, not {MASTER_USER}": (
            found["MasterUsername"] != MASTER_USER
        ),
    }
    yield from (Finding(f"databaseSnapshot: {reason}.") for reason, applies in wrong.items() if applies)
    if found["AllocatedStorage"] > deploy.wanted.database_storage:
        yield Finding(
            f"databaseStorage: the snapshot has {found['AllocatedStorage']}: set it to at least that."
        )


def _instance_class(deploy: Deploy, client: Client) -> Iterator[Finding]:
    """Check that the region has the instance class."""
    name = deploy.wanted.database_instance_class
    if not deploy.sets("databaseInstanceClass"):
        return
    pages = client("rds").get_paginator("describe_orderable_db_instance_options")
    offers = pages.paginate(Engine="mysql", DBInstanceClass=name, Vpc=True)
    if not any(
        option["EngineVersion"].startswith(f"{ENGINE_VERSION}.")
        for page in offers
        for option in page["OrderableDBInstanceOptions"]
    ):
        yield Finding(f"databaseInstanceClass: this region has no {name} for MySQL {ENGINE_VERSION}.")


def _log_role(deploy: Deploy, client: Client) -> Iterator[Finding]:
    """Check that another stack has set API Gateway's log role, if this one does not."""
    if deploy.wanted.manage_api_gateway_account:
        return
    if not client("apigateway").get_account().get("cloudwatchRoleArn"):
        yield Finding(
            "manageApiGatewayAccount: no stack of this account and region has set API Gateway's log role: "
            "set it to true."
        )


def _certificate(deploy: Deploy, client: Client) -> Iterator[Finding]:
    """Check that CloudFront can use the certificate of the setting for the domain."""
    arn, domain = deploy.wanted.certificate_arn, deploy.wanted.domain
    if not arn:
        return
    acm = client("acm", region_name=CERTIFICATES)
    try:
        found = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        yield Finding("certificateArn: the certificate does not exist in this account, in us-east-1.")
        return
    if found["Status"] != "ISSUED":
        yield Finding(
            f"certificateArn: the certificate is {found['Status']}, not ISSUED: see docs/runbook.md,"
            " The domain does not work."
        )
    names = sorted({found["DomainName"], *found.get("SubjectAlternativeNames", [])})
    if not {domain, f"*.{domain.partition('.')[2]}"} & {name.lower() for name in names}:
        yield Finding(f"certificateArn: the certificate is for {', '.join(names)}, not for {domain}.")


def _records(deploy: Deploy, client: Client) -> Iterator[Finding]:
    """Check that the domain does not lead to something else; a deploy overwrites no record."""
    zone, domain = deploy.wanted.hosted_zone, deploy.wanted.domain
    if not zone or urlsplit(deploy.outputs.get("page_url", "")).hostname == domain:
        return
    found = client("route53").list_resource_record_sets(
        HostedZoneId=zone, StartRecordName=domain, StartRecordType="A", MaxItems="10"
    )["ResourceRecordSets"]
    kinds = [record["Type"] for record in found if record["Name"] == f"{domain}."]
    if blocking := [kind for kind in kinds if kind in {"A", "AAAA", "CNAME"}]:
        yield Finding(
            f"hostedZone: the zone has {' and '.join(blocking)} of {domain}. Unless an interrupted deploy "
            "created them, this one would stop there: delete them first.",
            refuses=False,
        )


def _concurrency(deploy: Deploy, client: Client) -> Iterator[Finding]:
    """Check the account's limit of concurrent functions."""
    limit = client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    workers = deploy.wanted.worker_concurrency
    if limit < workers + OTHER_CONCURRENCY:
        yield Finding(
            f"Lambda runs at most {limit} functions at once in this account and region, and "
            f"workerConcurrency is {workers}: workers, orders and the page throttle each other. Request at "
            f"least {workers + OTHER_CONCURRENCY} in Service Quotas (AWS Lambda, L-B99A9384).",
            refuses=False,
        )
