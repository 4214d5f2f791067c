"""The functions: permissions, logs, archives and environment variables."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra import archives
from tests.program.conftest import Program, Resource, recorded
from tests.program.permissions import FUNCTIONS
from tests.program.setting_values import CHANGED

# Calls of the previous release's code, which runs until a deploy has replaced it, and again after a rollback
PREVIOUS_RELEASE = {
    "OrderProcessor": {
        "secretsmanager:GetSecretValue": {"arn:Secret.CafeDevDBSM"},
        "dynamodb:PutItem": {"arn:Table.Orders"},
        "dynamodb:UpdateItem": {"arn:Table.CafeMenu", "arn:Table.CafeOrderMetrics"},
    },
    "GetOrderStatusLambda": {
        "secretsmanager:GetSecretValue": {"arn:Secret.CafeDevDBSM"},
        "dynamodb:BatchGetItem": {"arn:Table.CafeOrderMetrics"},
    },
    "ReconcileOrders": {
        "secretsmanager:GetSecretValue": {"arn:Secret.CafeDevDBSM"},
        "dynamodb:PutItem": {"arn:Table.Orders"},
        "dynamodb:UpdateItem": {"arn:Table.CafeMenu", "arn:Table.CafeOrderMetrics"},
        "dynamodb:BatchGetItem": {"arn:Table.Orders", "arn:Table.CafeOrderMetrics"},
        "dynamodb:Scan": {"arn:Table.CafeMenu", "arn:Table.CafeOrderMetrics"},
    },
}
IN_VPC = [
    "OrderProcessor",
    "GetOrderStatusLambda",
    "StaffOrders",
    "PublicOrders",
    "ReconcileOrders",
    "BackupOrders",
    "EraseOrders",
    "MigrateDatabase",
]
WITHOUT_RESOURCES = re.compile(r"ec2:(Create|Describe|Delete|Assign|Unassign)\w+")


def grants(role_policy: Resource) -> dict[str, list[str]]:
    """Return the resources of a policy by action, without the network interfaces of Lambda."""
    found: dict[str, list[str]] = {}
    for statement in role_policy.policy():
        for action in statement["Action"]:
            if not action.startswith("ec2:"):
                found.setdefault(action, []).extend(statement["Resource"])
    return found


@pytest.mark.parametrize("name", PREVIOUS_RELEASE)
def test_a_role_still_allows_the_calls_of_the_previous_release(program: Program, name: str) -> None:
    allowed = grants(program.one("iam/rolePolicy:RolePolicy", name))
    for action, resources in PREVIOUS_RELEASE[name].items():
        assert resources <= set(allowed[action])


def strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for element in value.values():
                yield from strings(element)
        case list():
            for element in value:
                yield from strings(element)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_exactly_these_permissions(program: Program, name: str) -> None:
    logs = [f"arn:LogGroup.{name}:*"]
    assert grants(program.one("iam/rolePolicy:RolePolicy", name)) == {
        **FUNCTIONS[name],
        "logs:CreateLogStream": logs,
        "logs:PutLogEvents": logs,
    }


def test_no_policy_has_a_wildcard_except_for_network_interfaces(program: Program) -> None:
    policies = [*program.all("iam/rolePolicy:RolePolicy"), *program.all("s3/bucketPolicy:BucketPolicy")]
    statements = [statement for policy in policies for statement in policy.policy()]
    for statement in (statement for statement in statements if statement["Effect"] == "Allow"):
        if not all(WITHOUT_RESOURCES.fullmatch(action) for action in statement["Action"]):
            assert "*" not in statement["Resource"]
        assert not any("*" in action for action in statement["Action"])
        assert statement.get("Principal") != "*"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_only_functions_in_the_vpc_may_create_network_interfaces(program: Program, name: str) -> None:
    joins = any(
        "ec2:CreateNetworkInterface" in s["Action"]
        for s in program.one("iam/rolePolicy:RolePolicy", name).policy()
    )
    function = program.one("lambda/function:Function", name)
    assert joins == ("vpcConfig" in function.inputs) == (name in IN_VPC)


def test_the_only_managed_policy_is_for_the_logs_of_api_gateway(program: Program) -> None:
    attached = [
        resource.inputs["policyArn"]
        for resource in program.all("iam/rolePolicyAttachment:RolePolicyAttachment")
    ]
    assert attached == ["arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_its_own_role_and_log_group(program: Program, name: str) -> None:
    function = program.one("lambda/function:Function", name)
    assert function.inputs["role"] == f"arn:Role.{name}"
    assert function.inputs["loggingConfig"] == {"logFormat": "Text", "logGroup": f"LogGroup.{name}"}
    assert program.one("cloudwatch/logGroup:LogGroup", name).inputs["retentionInDays"] in (7, 90)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_created_after_its_permissions(program: Program, name: str) -> None:
    policy = program.one("iam/rolePolicy:RolePolicy", name)
    assert policy.urn in program.one("lambda/function:Function", name).depends_on


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_runs_on_arm_and_the_runtime_of_the_settings(program: Program, name: str) -> None:
    function = program.one("lambda/function:Function", name).inputs
    assert (function["architectures"], function["runtime"], function["memorySize"]) == (
        ["arm64"],
        "python3.12",
        512,
    )


def test_no_secret_is_in_an_environment_variable_or_an_output(program: Program) -> None:
    for resource in program.resources:
        plain = {key: value for key, value in resource.inputs.items() if key not in resource.secret_inputs}
        assert not any("p4ssw0rd" in text for text in strings(plain)), resource.urn
    assert not any("p4ssw0rd" in text for text in strings(program.outputs))


def by_urn(program: Program) -> dict[str, Resource]:
    return {resource.urn: resource for resource in program.resources}


def test_a_second_run_makes_the_same_archives_and_resources(dev: Program) -> None:
    assert by_urn(recorded("dev")) == by_urn(dev)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_archive_contains_no_leftover_files(program: Program, name: str) -> None:
    code = program.one("lambda/function:Function", name).inputs["code"]
    leftovers = [path for path in code if "__pycache__" in path or path.endswith((".pyc", ".pem.bak"))]
    assert leftovers == []
    assert ("pymysql/__init__.py" in code) == ("rds-ca.pem" in code) == (name in IN_VPC)
    assert ("migrations/0001_create_orders.sql" in code) == (name == "MigrateDatabase")


@pytest.mark.parametrize(
    ("name", "services"),
    [
        ("PlaceOrder", {"dynamodb", "sns", "secretsmanager"}),
        ("OrderProcessor", {"dynamodb", "secretsmanager", "sqs"}),
        ("GetMenu", {"dynamodb"}),
        ("BackupOrders", {"dynamodb", "s3", "secretsmanager"}),
    ],
)
def test_an_archive_contains_the_models_of_the_services_that_its_function_calls(
    program: Program, name: str, services: set[str]
) -> None:
    code = program.one("lambda/function:Function", name).inputs["code"]
    models = {path for path in code if path.startswith("models/")}
    assert {Path(path).parts[1] for path in models} == {*services, "endpoints.json"}


# All imports of the functions behind HTTP, since each import adds to a cold start
IMPORTS = {
    "get_menu": """
        environment get_menu http_responses log orders.exact_json orders.failures stores.aws
        stores.dynamodb.client stores.dynamodb.menu
    """,
    "place_order": """
        environment http_responses log orders.exact_json orders.failures orders.http_request
        orders.message orders.names orders.order orders.states orders.times orders.tokens place_order
        stores.aws stores.dynamodb.client stores.dynamodb.idempotency stores.secret stores.sns
        stores.tracking_keys
    """,
    "get_order_status": """
        environment get_order_status http_responses log orders.counters orders.exact_json
        orders.failures orders.names orders.order orders.screens orders.states orders.status
        orders.sync orders.times stores.aws stores.dynamodb.client stores.dynamodb.metrics
        stores.mysql.connection stores.mysql.counters stores.mysql.events stores.mysql.login
        stores.mysql.orders stores.mysql.screens stores.mysql.status stores.parallel stores.secret
        stores.sqs
    """,
    "staff_orders": """
        environment http_responses log orders.change orders.counters orders.exact_json orders.failures
        orders.http_request orders.message orders.names orders.order orders.screens orders.states
        orders.times staff_orders stores.aws stores.dynamodb.client stores.dynamodb.order_items
        stores.mysql.changes stores.mysql.connection stores.mysql.counters stores.mysql.events
        stores.mysql.login stores.mysql.orders stores.mysql.screens stores.secret
    """,
    "public_orders": """
        environment http_responses log orders.counters orders.exact_json orders.failures orders.names
        orders.order orders.screens orders.states orders.times orders.tokens public_orders
        stores.aws stores.dynamodb.client stores.mysql.connection stores.mysql.counters
        stores.mysql.events stores.mysql.login stores.mysql.orders stores.mysql.screens
        stores.secret stores.tracking_keys
    """,
}
# Imports inside of `environment.table_names`
LATER = {name: {"stores.dynamodb.client"} for name in ("public_orders", "backup_orders")}


def modules(archive: Iterable[str]) -> set[str]:
    """Return our own modules in an archive, without packages."""
    names = {path.removesuffix(".py").replace("/", ".") for path in archive if path.endswith(".py")}
    return {name for name in names if not name.startswith("pymysql") and not name.endswith("__init__")}


@pytest.mark.parametrize(
    "handler",
    [*IMPORTS, "order_processor", "reconcile_orders", "backup_orders", "erase_orders", "migrate_database"],
)
def test_an_archive_has_exactly_the_imports_of_its_handler(tmp_path: Path, handler: str) -> None:
    archive = archives.code(handler)
    for name, source in archive.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(source.read_bytes())
    # Lambda's runtime contains botocore, the only other package that we import.
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import {handler}\n"
        "print(*(getattr(module, '__file__', None) for module in sys.modules.values()), sep='\\n')"
    )
    ran = subprocess.run([sys.executable, "-I", "-c", script], check=True, capture_output=True, text=True)
    paths = map(Path, ran.stdout.splitlines())
    loaded = [path.relative_to(tmp_path).as_posix() for path in paths if path.is_relative_to(tmp_path)]
    assert modules(loaded) == modules(archive) - LATER.get(handler, set())


@pytest.mark.parametrize("handler", IMPORTS)
def test_a_function_behind_http_imports_only_these_modules(handler: str) -> None:
    assert modules(archives.code(handler)) == set(IMPORTS[handler].split())


def test_the_worker_gets_the_names_of_its_stores_and_the_time_zone(
    with_settings: Callable[..., Program],
) -> None:
    program = with_settings(**CHANGED)
    worker = program.one("lambda/function:Function", "OrderProcessor").inputs
    assert worker["environment"]["variables"] == {
        "DATABASE_SECRET": "arn:Secret.CafeDevDBSM",
        "ORDERS_TABLE": "Table.Orders",
        "MENU_TABLE": "Table.CafeMenu",
        "METRICS_TABLE": "Table.CafeOrderMetrics",
        "TIME_ZONE": "Europe/Berlin",
        "RETENTION_DAYS": CHANGED["retentionDays"],
        "QUEUE_URL": "https://Queue.OrderQueue",
        "RECORDED_WITHIN": CHANGED["recordedWithin"],
    }
    assert "tzdata/zoneinfo/Europe/Berlin" in worker["code"]
    assert "tzdata/zoneinfo/Europe/__init__.py" in worker["code"]


def test_the_migration_runs_again_after_a_change_of_its_files_the_menu_or_a_login(
    dev: Program, with_settings: Callable[..., Program]
) -> None:
    invocation = dev.one("lambda/invocation:Invocation").inputs
    assert json.loads(invocation["input"]) == {"menu": {"Coffee": "3", "Latte": "5", "Tea": "2"}}
    triggers = {"migrations", "time_zone", "database", "login", "status_login"}
    assert set(invocation["triggers"]) == triggers
    other = with_settings(**CHANGED).one("lambda/invocation:Invocation").inputs
    assert json.loads(other["input"]) == {"menu": {"Espresso": "2.50"}}


def test_the_migration_runs_after_the_logins_exist(program: Program) -> None:
    invocation = program.one("lambda/invocation:Invocation")
    for secret in ("CafeDevDBSM", "CafeStatusDBSM"):
        assert program.one("secretsmanager/secretVersion:SecretVersion", secret).urn in invocation.depends_on


@pytest.mark.parametrize("name", [name for name in IN_VPC if name != "MigrateDatabase"])
def test_code_that_uses_the_database_is_deployed_after_its_schema(program: Program, name: str) -> None:
    migrated = program.one("lambda/invocation:Invocation").urn
    assert migrated in program.one("lambda/function:Function", name).depends_on


def test_read_only_functions_log_in_as_the_read_only_user(program: Program) -> None:
    found = {name: program.one("lambda/function:Function", name).inputs["environment"] for name in IN_VPC}
    others = dict.fromkeys(IN_VPC, "arn:Secret.CafeDevDBSM")
    assert {name: environment["variables"]["DATABASE_SECRET"] for name, environment in found.items()} == (
        others
        | dict.fromkeys(["GetOrderStatusLambda", "PublicOrders", "BackupOrders"], "arn:Secret.CafeStatusDBSM")
    )


def test_every_function_that_records_or_erases_gets_the_retention_period(
    program: Program, with_settings: Callable[..., Program]
) -> None:
    def periods(program: Program) -> dict[str, str]:
        functions = {f.name: f.inputs.get("environment", {}) for f in program.all("lambda/function:Function")}
        variables = {name: environment.get("variables", {}) for name, environment in functions.items()}
        return {name: v["RETENTION_DAYS"] for name, v in variables.items() if "RETENTION_DAYS" in v}

    assert periods(program) == {}
    writers = ["OrderProcessor", "ReconcileOrders", "EraseOrders"]
    assert periods(with_settings(**CHANGED)) == dict.fromkeys(writers, CHANGED["retentionDays"])


def test_customers_links_are_signed_and_verified_with_the_same_secret(
    program: Program,
) -> None:
    version = program.one("secretsmanager/secretVersion:SecretVersion", "TrackingKeys")
    assert json.loads(version.inputs["secretString"]) == {
        "current": "1",
        "keys": {"0": "p4ssw0rd", "1": "p4ssw0rd"},
    }
    assert "secretString" in version.secret_inputs
    for name in ("PlaceOrder", "PublicOrders"):
        function = program.one("lambda/function:Function", name)
        assert function.inputs["environment"]["variables"]["TRACKING_SECRET"] == "arn:Secret.TrackingKeys"
        assert version.urn in function.depends_on


def test_a_new_tracking_key_keeps_the_previous_one(
    dev: Program, with_settings: Callable[..., Program]
) -> None:
    def keys(program: Program) -> set[str]:
        return {r.urn for r in program.resources if r.name.startswith("tracking-key-")}

    assert len(keys(dev) & keys(with_settings(**CHANGED))) == 1


def test_links_have_the_origin_of_the_page(program: Program) -> None:
    environment = program.one("lambda/function:Function", "PlaceOrder").inputs["environment"]
    assert environment["variables"]["PAGE_ORIGIN"] == "https://d1.cloudfront.net"


def test_all_readers_of_open_orders_get_the_open_hours(
    with_settings: Callable[..., Program],
) -> None:
    program = with_settings(**CHANGED)
    functions = {
        function.name
        for function in program.all("lambda/function:Function")
        if function.inputs["environment"]["variables"].get("OPEN_HOURS") == "4"
    }
    assert functions == {"GetOrderStatusLambda", "StaffOrders", "PublicOrders", "ReconcileOrders"}
