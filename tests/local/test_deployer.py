"""The deployer refuses unsupported types and inputs, and names them."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from pulumi.runtime import mocks, rpc
from pulumi.runtime.settings import SETTINGS

from local import program, project
from local.database.instance import Database
from local.database.server import Administrator
from local.deployer import Cloud, Deployer, DeployError
from local.deployer.inputs import InputError, Inputs, plain
from local.deployer.naming import Naming
from local.deployer.registry import INVOKES, RESOURCES, ResourceType, Result
from local.errors import LocalError
from local.progress import Created, Failed

QUEUE = "aws:sqs/queue:Queue"
POLICY = "aws:sqs/queuePolicy:QueuePolicy"
REGION = "aws:index/getRegion:getRegion"

Event = Created | Failed
Register = Callable[..., None]


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    """A cloud without services: the handlers of these tests do not call it."""
    authority = tmp_path / "ca.pem"
    database = Database(port=1, administrator=Administrator(), authority=authority)
    names = Naming(pattern="${name}-${stack}", project="shop", stack="local")
    return Cloud(port=1, region="us-east-1", names=names, database=database, authority=authority)


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def deployer(cloud: Cloud, events: list[Event]) -> Deployer:
    return Deployer(cloud, events.append)


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Register:
    """Return a function that replaces a handler."""

    def put(
        type_token: str, handler: Callable[[Inputs], Result], ignored: Mapping[str, str] | None = None
    ) -> None:
        kind = ResourceType(create=lambda cloud, name, inputs: handler(inputs), ignored=ignored or {})
        monkeypatch.setitem(RESOURCES, type_token, kind)

    return put


def _resource(
    type_token: str, name: str = "thing", inputs: Mapping[str, Any] | None = None, **other: Any
) -> mocks.MockResourceArgs:
    return mocks.MockResourceArgs(
        typ=type_token, name=name, inputs=dict(inputs or {}), custom=other.pop("custom", True), **other
    )


# Unsupported types and inputs


def test_a_resource_of_an_unknown_type_is_refused(deployer: Deployer) -> None:
    with pytest.raises(DeployError, match=r"aws:sqs/lane:Lane 'thing': is of a type that local mode"):
        deployer.new_resource(_resource("aws:sqs/lane:Lane"))


def test_an_unread_input_is_refused_with_its_path(deployer: Deployer, register: Register) -> None:
    def create(inputs: Inputs) -> Result:
        inputs.section("vpcConfig").texts("subnetIds")
        return "id", {}

    register(QUEUE, create)
    inputs = {"vpcConfig": {"subnetIds": ["a"], "dualStack": True}, "fifo": True}
    with pytest.raises(DeployError, match=r"'thing': has inputs .* support: fifo, vpcConfig\.dualStack$"):
        deployer.new_resource(_resource(QUEUE, inputs=inputs))


def test_an_ignored_input_must_be_listed(deployer: Deployer, register: Register) -> None:
    register(QUEUE, lambda inputs: ("id", {}), {"backup": "nothing is kept"})
    deployer.new_resource(_resource(QUEUE, inputs={"backup": {"days": 7}, "tags": {"a": "b"}}))
    with pytest.raises(DeployError, match="backups"):
        deployer.new_resource(_resource(QUEUE, "other", inputs={"backups": 7}))


def test_a_table_gets_the_period_of_its_point_in_time_recovery(
    deployer: Deployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    dynamodb = Mock()
    dynamodb.create_table.return_value = {"TableDescription": {"TableArn": "arn:Orders"}}
    monkeypatch.setattr(Cloud, "client", lambda _cloud, _service: dynamodb)
    inputs = {"billingMode": "PAY_PER_REQUEST", "hashKey": "id", "attributes": [{"name": "id", "type": "S"}]}
    recovery = {"enabled": True, "recoveryPeriodInDays": 30.0}
    deployer.new_resource(
        _resource("aws:dynamodb/table:Table", inputs=inputs | {"pointInTimeRecovery": recovery})
    )
    specification = dynamodb.update_continuous_backups.call_args[1]["PointInTimeRecoverySpecification"]
    assert specification == {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 30}


def test_a_budget_is_accepted_and_noted_as_ineffective(deployer: Deployer, cloud: Cloud) -> None:
    inputs = {"budgetType": "COST", "limitAmount": "30", "notifications": [{"threshold": 80}]}
    deployer.new_resource(_resource("aws:budgets/budget:Budget", inputs=inputs))
    assert any(sentence.startswith("A budget sends no e-mails") for sentence in cloud.deviations.sentences)


def test_a_permissions_boundary_is_accepted_and_noted_as_missing(
    deployer: Deployer, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = {"Role": {"Arn": "arn:aws:iam::000000000000:role/thing", "RoleId": "AROA"}}
    monkeypatch.setattr(cloud, "client", lambda service: Mock(**{"create_role.return_value": created}))
    inputs = {"assumeRolePolicy": "{}", "permissionsBoundary": "arn:aws:iam::123456789012:policy/limit"}
    deployer.new_resource(_resource("aws:iam/role:Role", inputs=inputs))
    assert any(sentence.startswith("No permissions boundary") for sentence in cloud.deviations.sentences)


def test_an_unknown_invoke_is_refused(deployer: Deployer) -> None:
    with pytest.raises(
        DeployError, match="aws:ec2/getAmi:getAmi: is an invoke that local mode does not support"
    ):
        deployer.call(mocks.MockCallArgs("aws:ec2/getAmi:getAmi", {}, ""))


def test_an_unknown_input_of_an_invoke_is_refused(deployer: Deployer) -> None:
    with pytest.raises(DeployError, match=r"getRegion: has an input .* support: owner$"):
        deployer.call(mocks.MockCallArgs(REGION, {"owner": "me"}, ""))


def test_a_lookup_of_a_resource_is_refused(deployer: Deployer) -> None:
    with pytest.raises(DeployError, match="looked up or imported"):
        deployer.new_resource(_resource(QUEUE, resource_id="https://queue"))


def test_a_resource_declared_twice_is_refused(deployer: Deployer, register: Register) -> None:
    register(QUEUE, lambda inputs: ("id", {}))
    deployer.new_resource(_resource(QUEUE))
    with pytest.raises(DeployError, match="declared twice"):
        deployer.new_resource(_resource(QUEUE))


# Missing values


def test_an_empty_id_is_refused(deployer: Deployer, register: Register) -> None:
    register(QUEUE, lambda inputs: ("", {}))
    with pytest.raises(DeployError, match="Queue 'thing': was created without an id"):
        deployer.new_resource(_resource(QUEUE))


@pytest.mark.parametrize("value", [None, ""])
def test_an_empty_output_is_refused(deployer: Deployer, register: Register, value: object) -> None:
    register(QUEUE, lambda inputs: ("id", {"arn": value}))
    with pytest.raises(DeployError, match="without a value for its output arn"):
        deployer.new_resource(_resource(QUEUE))


def test_an_empty_output_of_an_invoke_is_refused(deployer: Deployer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(INVOKES, REGION, lambda cloud, inputs: {"region": ""})
    with pytest.raises(DeployError, match="getRegion: was created without a value for its output region"):
        deployer.call(mocks.MockCallArgs(REGION, {}, ""))


def test_a_missing_input_is_refused_with_its_path(deployer: Deployer, register: Register) -> None:
    register(QUEUE, lambda inputs: (inputs.section("redrive").text("target"), {}))
    with pytest.raises(DeployError, match=r"Queue 'thing': needs the input redrive\.target"):
        deployer.new_resource(_resource(QUEUE))


# Errors


def test_an_error_of_any_kind_names_the_resource(deployer: Deployer, register: Register) -> None:
    def create(inputs: Inputs) -> Result:
        raise KeyError("QueueUrl")

    register(QUEUE, create)
    with pytest.raises(DeployError, match=r"aws:sqs/queue:Queue 'thing': KeyError: 'QueueUrl'"):
        deployer.new_resource(_resource(QUEUE))


def test_the_first_failure_is_reported_and_kept(deployer: Deployer, events: list[Event]) -> None:
    for name in ("first", "second"):
        with pytest.raises(DeployError):
            deployer.new_resource(_resource("aws:sqs/lane:Lane", name))
    assert "'first'" in str(deployer.failure)
    assert events == [Failed(message=str(deployer.failure))]


# Values


def test_handlers_get_plain_numbers_and_secrets_and_the_state_keeps_secrets(
    deployer: Deployer, register: Register
) -> None:
    seen: list[object] = []

    def create(inputs: Inputs) -> Result:
        seen.extend([inputs.require("size"), inputs.text("password")])
        return "id", {}

    register(QUEUE, create)
    password = rpc.wrap_rpc_secret("hidden")
    _, state = deployer.new_resource(_resource(QUEUE, inputs={"size": 20.0, "password": password}))
    assert seen == [20, "hidden"]
    assert isinstance(seen[0], int)
    assert rpc.is_rpc_secret(state["password"])


def test_fractions_stay_floats() -> None:
    assert plain({"a": [0.5, 2.0], "b": True}) == {"a": [0.5, 2], "b": True}


def test_a_string_is_not_accepted_as_an_object() -> None:
    with pytest.raises(InputError, match="objects as logging"):
        Inputs({"logging": "on"}).section("logging")


def test_components_are_passed_through(deployer: Deployer, events: list[Event]) -> None:
    assert deployer.new_resource(_resource("cafe:orders:Api", custom=False, inputs={"a": 1})) == (
        None,
        {"a": 1},
    )
    assert events == []


# Whole programs


@pytest.fixture
def run(tmp_path: Path, deployer: Deployer, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Return a function that runs a program in a copy of the context, which holds Pulumi's state."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    loops: list[asyncio.AbstractEventLoop] = []
    new_event_loop = asyncio.new_event_loop

    def recorded_loop() -> asyncio.AbstractEventLoop:
        loops.append(new_event_loop())
        return loops[-1]

    # Pulumi's mocks leave an open event loop in each thread.
    monkeypatch.setattr(asyncio, "new_event_loop", recorded_loop)

    def run_text(text: str) -> Any:
        (tmp_path / "__main__.py").write_text(f"import pulumi\nimport pulumi_aws as aws\n{text}")
        declared = project.Project(name="shop", configuration={"shop:size": "3"}, naming="${name}")
        coroutine = program.run(tmp_path, declared, deployer)
        try:
            return contextvars.copy_context().run(asyncio.run, coroutine)
        finally:
            for loop in loops:
                loop.close()
            # Collect a failed program's pending tasks now, not in some other test.
            SETTINGS.outputs.clear()
            gc.collect()

    return run_text


def test_a_program_runs_with_its_settings_and_returns_its_outputs(
    run: Callable[[str], Any], register: Register, events: list[Event]
) -> None:
    register(QUEUE, lambda inputs: (f"id-{inputs.require('visibilityTimeoutSeconds')}", {"arn": "arn:queue"}))
    outputs = run(
        "size = pulumi.Config().require_int('size')\n"
        "queue = aws.sqs.Queue('orders', visibility_timeout_seconds=size)\n"
        "pulumi.export('stack', pulumi.get_stack())\n"
        "pulumi.export('region', aws.get_region().region)\n"
        "pulumi.export('ids', [queue.id, queue.arn])\n"
    )
    assert outputs == {"stack": "local", "region": "us-east-1", "ids": ["id-3", "arn:queue"]}
    assert [event.name for event in events if isinstance(event, Created)] == ["orders"]


def test_reading_an_output_that_is_not_set_names_output_and_reader(
    run: Callable[[str], Any], register: Register
) -> None:
    register(QUEUE, lambda inputs: ("id", {}))
    register(POLICY, lambda inputs: (inputs.text("queueUrl") and inputs.text("policy"), {}))
    with pytest.raises(
        DeployError, match=r"QueuePolicy 'open': it reads the output arn of aws:sqs/queue:Queue 'orders'"
    ):
        run(
            "queue = aws.sqs.Queue('orders')\n"
            "policy = pulumi.Output.json_dumps({'Resource': queue.arn})\n"
            "aws.sqs.QueuePolicy('open', queue_url=queue.id, policy=policy)\n"
        )


def test_exporting_an_output_that_is_not_set_is_an_error(
    run: Callable[[str], Any], register: Register
) -> None:
    register(QUEUE, lambda inputs: ("id", {}))
    with pytest.raises(Exception, match=r"The stack output url reads the output url of .* 'orders'"):
        run("pulumi.export('url', aws.sqs.Queue('orders').url)\n")


def test_an_empty_stack_output_is_an_error(run: Callable[[str], Any]) -> None:
    with pytest.raises(LocalError, match="The stack output page_url has no value"):
        run("pulumi.export('page_url', '')\n")


def test_a_program_ends_with_the_first_failure(run: Callable[[str], Any]) -> None:
    with pytest.raises(DeployError, match="getQueue"):
        run("queue = aws.sqs.get_queue(name='orders')\n")


def test_an_error_of_the_program_is_raised_unchanged(run: Callable[[str], Any]) -> None:
    with pytest.raises(ZeroDivisionError):
        run("1 / 0\n")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            ZeroDivisionError("division by zero"),
            "The program failed with ZeroDivisionError: division by zero",
        ),
        (ValueError("Settings are wrong:\n  menu: is missing"), "Settings are wrong:\n  menu: is missing"),
        (DeployError("orders: is declared twice"), "orders: is declared twice"),
    ],
)
def test_an_unexpected_error_is_reported_with_its_type(error: Exception, message: str) -> None:
    assert program._message(error) == message
