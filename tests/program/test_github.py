"""The roles that GitHub's jobs assume: trust policies and permissions."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from deploy.github import iam_actions, policies
from infra.recording import PROJECT, ROOT, record
from tests.ci.workflows import ACTIONS, ENVIRONMENTS, steps
from tests.program.conftest import FORKS, Program
from tests.program.setting_values import CHANGED

REPOSITORY = "ada@123456/cafe@456789"
ACCOUNT = policies.Account(
    id="123456789012", region="eu-west-1", bucket="arn:aws:s3:::state", key="arn:aws:kms:key"
)
DEPLOYED = ("dev", "prod", "smoke")


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    """Resources of the program, by type and name."""
    with ProcessPoolExecutor(1, FORKS) as apart:
        found = apart.submit(record, "github", {"repository": REPOSITORY}, ROOT / "deploy/github").result()
    assert found["warnings"] == ""
    return {f"{each['type'].rpartition(':')[2]} {each['name']}": each for each in found["resources"]}


def statements(policy: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each action with each of its resources, and the conditions."""
    for statement in policy["Statement"]:
        for action in statement["Action"]:
            for resource in statement["Resource"]:
                yield action, resource, statement.get("Condition", {})


def allowed(policy: dict[str, Any], action: str, resource: str) -> bool:
    """Return whether a statement allows it under any condition."""
    return any(
        fnmatch.fnmatchcase(action, pattern) and fnmatch.fnmatchcase(resource, where)
        for pattern, where, _ in statements(policy)
    )


def test_each_environment_of_the_workflows_has_one_role_with_one_condition(made: dict[str, Any]) -> None:
    roles = {
        name.removeprefix("Role ").removesuffix("-github"): json.loads(each["inputs"]["assumeRolePolicy"])[
            "Statement"
        ]
        for name, each in made.items()
        if name.startswith("Role ")
    }
    assert set(roles) == set(ENVIRONMENTS.values())
    for environment, (trusted,) in roles.items():
        claims = {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": f"repo:{REPOSITORY}:environment:{environment}",
        }
        if environment != "preview":
            claims["token.actions.githubusercontent.com:ref"] = "refs/heads/main"
        assert trusted["Condition"] == {"StringEquals": claims}
        assert trusted["Action"] == "sts:AssumeRoleWithWebIdentity"
        assert "*" not in json.dumps(trusted)


@pytest.mark.parametrize("repository", ["*", "ada/*", "ada@1/cafe", "ada", "ada/cafe:environment:prod", ""])
def test_an_invalid_repository_or_a_pattern_is_refused(repository: str) -> None:
    with pytest.raises(ValueError, match="repository: must be OWNER@ID/NAME@ID"):
        policies.trust("arn", repository, "prod", main_only=True)


def test_the_session_duration_is_the_maximum_of_the_roles(made: dict[str, Any]) -> None:
    (action,) = ACTIONS.values()
    durations = [step["with"].get("role-duration-seconds") for step in steps(action)]
    allowed = {e["inputs"]["maxSessionDuration"] for name, e in made.items() if name.startswith("Role ")}
    assert allowed == {durations[-1]}


def test_a_role_has_its_own_policy_and_no_aws_managed_one(made: dict[str, Any]) -> None:
    kinds = [name.partition(" ")[0] for name in made]
    assert kinds.count("RolePolicy") == kinds.count("Role") == len(ENVIRONMENTS)
    attached = {
        e["inputs"]["policyArn"] for name, e in made.items() if name.startswith("RolePolicyAttachment")
    }
    assert attached == {"arn:Policy.cafe-orders-settings"}


def test_policies_are_within_the_length_limits_of_iam() -> None:
    longest = replace(
        ACCOUNT,
        region="ap-northeast-3",
        bucket=f"arn:aws:s3:::{'a' * 30}",
        key="k" * 80,
        zones=["Z" * 32] * 3,
    )
    for stack in DEPLOYED:
        assert len(json.dumps(policies.deploy(longest, stack), separators=(",", ":"))) <= 10_240
        assert len(json.dumps(policies.boundary(longest, stack), separators=(",", ":"))) <= 6_144
    assert len(json.dumps(policies.read_settings(longest), separators=(",", ":"))) <= 6_144


@pytest.mark.parametrize(
    "policy",
    [
        policies.preview(ACCOUNT, "dev", "prod"),
        policies.drift(ACCOUNT, "dev"),
        policies.read_settings(ACCOUNT),
    ],
)
def test_previews_and_drift_checks_are_read_only(policy: dict[str, Any]) -> None:
    reads = ("Get", "List", "Describe", "View", "Decrypt", "AdminGet", "AdminList", "GET")
    assert [action for action, *_ in statements(policy) if not action.split(":")[1].startswith(reads)] == []
    for action in ("dynamodb:GetItem", "dynamodb:Scan", "sqs:ReceiveMessage", "logs:GetLogEvents"):
        assert not allowed(policy, action, "*"), action


def test_a_preview_cannot_read_secrets_outside_the_state() -> None:
    preview = policies.preview(ACCOUNT, "dev")
    assert not any(action.startswith("secretsmanager:") for action, *_ in statements(preview))


def test_a_deploy_can_access_only_its_own_state_and_secrets() -> None:
    dev = policies.deploy(ACCOUNT, "dev")
    for stack, mine in (("dev", True), ("prod", False), ("developer", False)):
        for path in (f"stacks/{PROJECT}/{stack}.json", f"locks/organization/{PROJECT}/{stack}/1.json"):
            assert allowed(dev, "s3:PutObject", f"{ACCOUNT.bucket}/.pulumi/{path}") == mine, path
    for action, _, conditions in statements(dev):
        if action in {"kms:Encrypt", "kms:Decrypt"}:
            assert conditions["StringEquals"]["kms:EncryptionContext:stack"] in ("dev", ["dev"])


def test_a_drift_check_cannot_read_the_copies_of_orders() -> None:
    drift = policies.drift(ACCOUNT, "dev")
    bucket = "arn:aws:s3:::orders-backup-dev-0a1b2c3"
    assert allowed(drift, "s3:GetBucketVersioning", bucket)
    assert not allowed(drift, "s3:GetObject", f"{bucket}/orders/2026-11-22.csv.gz")


def test_the_policies_have_all_buckets_of_the_program(prod: Program) -> None:
    assert {resource.name for resource in prod.all("s3/bucket:Bucket")} == {policies.PAGE, policies.BACKUP}


def test_a_deploy_can_change_only_named_resources_of_its_own_stack() -> None:
    dev = policies.deploy(ACCOUNT, "dev")
    for action, resource in {
        "dynamodb:DeleteTable": "dynamodb:eu-west-1:123456789012:table/Orders",
        "sqs:DeleteQueue": "sqs:eu-west-1:123456789012:OrderQueue",
        "rds:DeleteDBInstance": "rds:eu-west-1:123456789012:db:cafe-db",
        "lambda:UpdateFunctionCode": "lambda:eu-west-1:123456789012:function:PlaceOrder",
        "iam:PutRolePolicy": "iam::123456789012:role/PlaceOrder",
        "iam:PassRole": "iam::123456789012:role/PlaceOrder",
        "s3:DeleteBucket": "s3:::order-status-page",
        "s3:PutBucketVersioning": "s3:::orders-backup",
    }.items():
        assert allowed(dev, action, f"arn:aws:{resource}-dev-0a1b2c3"), action
        for other in ("prod-0a1b2c3", "dev", "dev-0a1b2c3d", "old-dev-tools"):
            assert not allowed(dev, action, f"arn:aws:{resource}-{other}"), (action, other)


def test_a_deploy_changes_records_in_the_named_zones_only() -> None:
    for zones in ([], ["Z1", "Z2"]):
        dev = policies.deploy(replace(ACCOUNT, zones=zones), "dev")
        changed = [
            (resource, conditions)
            for action, resource, conditions in statements(dev)
            if action == "route53:ChangeResourceRecordSets"
        ]
        assert [resource for resource, _ in changed] == [f"arn:aws:route53:::hostedzone/{z}" for z in zones]
        for _, conditions in changed:
            kinds = conditions["ForAllValues:StringEquals"]["route53:ChangeResourceRecordSetsRecordTypes"]
            assert kinds == ["A", "AAAA", "CNAME"]


def test_a_deploy_has_no_unconditional_wildcard() -> None:
    with_zones = replace(ACCOUNT, zones=["Z1"])
    for action, resource, conditions in statements(policies.deploy(with_zones, "dev")):
        if resource == "*" and not conditions:
            assert action in {*iam_actions.REFRESH, "kms:DescribeKey"}, action
        assert action.split(":")[0] not in {"*", "iam*", "sts", "organizations"}


def test_a_deploy_cannot_tag_resources_of_others() -> None:
    """With the tag `Stack`, it could delete them."""
    for action, resource, conditions in statements(policies.deploy(ACCOUNT, "dev")):
        if action in {
            "acm:AddTagsToCertificate",
            "cloudfront:TagResource",
            "cognito-idp:TagResource",
            "ec2:CreateTags",
        }:
            equal = conditions["StringEquals"]
            own = equal.get("aws:ResourceTag/Stack") == "dev"
            new = "ec2:CreateAction" in equal or conditions.get("Null") == {"aws:ResourceTag/Stack": "true"}
            assert own or (new and equal["aws:RequestTag/Stack"] == "dev"), (action, resource)


def test_roles_of_a_deploy_have_a_boundary_that_it_cannot_remove() -> None:
    bounded = "arn:aws:iam::123456789012:policy/cafe-orders-dev-boundary"
    widens = {"iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary"}
    seen = set()
    for action, resource, conditions in statements(policies.deploy(ACCOUNT, "dev")):
        if action in widens:
            seen.add(action)
            assert conditions["StringEquals"] == {"iam:PermissionsBoundary": bounded}
        if action.startswith("iam:") and action not in iam_actions.REFRESH:
            assert "-dev-???????" in resource or "aws-service-role" in resource
    assert seen == widens
    for action in ("iam:DeleteRolePermissionsBoundary", "iam:CreatePolicyVersion", "iam:CreateUser"):
        assert not allowed(policies.deploy(ACCOUNT, "dev"), action, bounded)


def test_a_deploy_cannot_change_the_roles_of_github() -> None:
    for stack in DEPLOYED:
        for environment in ENVIRONMENTS.values():
            role = f"arn:aws:iam::123456789012:role/{environment}-github-0a1b2c3"
            assert not allowed(policies.deploy(ACCOUNT, stack), "iam:PutRolePolicy", role)


def test_the_boundary_allows_the_actions_of_the_functions(prod: Program, invited: Program) -> None:
    limit = policies.boundary(ACCOUNT, "prod")
    used = {
        action
        for program in (prod, invited)
        for role in program.all("iam/rolePolicy:RolePolicy")
        for statement in role.policy()
        for action in statement["Action"]
    }
    assert len(used) > 10
    assert used == {action for action, *_ in statements(limit)} - set(iam_actions.LOGS) | {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }


def test_all_roles_of_a_stack_have_the_boundary_of_the_setting(
    dev: Program, with_settings: Callable[..., Program]
) -> None:
    roles = with_settings(**CHANGED).all("iam/role:Role")
    assert len(roles) > 5
    assert {role.inputs["permissionsBoundary"] for role in roles} == {CHANGED["permissionsBoundary"]}
    assert not any("permissionsBoundary" in role.inputs for role in dev.all("iam/role:Role"))


def test_the_state_is_private_versioned_and_protected(made: dict[str, Any]) -> None:
    assert made["BucketVersioning state"]["inputs"]["versioningConfiguration"] == {"status": "Enabled"}
    assert all(
        value is True
        for key, value in made["BucketPublicAccessBlock state"]["inputs"].items()
        if key != "bucket"
    )
    assert made["Bucket cafe-orders-state"]["protect"]
    assert made["Key secrets"]["protect"]
    assert made["Key secrets"]["inputs"]["enableKeyRotation"] is True


def test_the_program_uses_the_virtual_environment_of_the_project() -> None:
    assert "virtualenv: ../../.venv" in (ROOT / "deploy/github/Pulumi.yaml").read_text("utf-8")
