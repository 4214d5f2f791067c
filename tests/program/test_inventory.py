"""Every resource by its name, parent, tags and protection: a changed one may be a replaced database."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infra.recording import PROJECT
from tests.program.conftest import Program, Resource
from tests.program.test_network import OVER_IPV6, PRIVATE

# Only with `login`: readers of the order status sign in, too.
READERS = "cafe:orders:Access$aws:cognito/userPoolClient:UserPoolClient page in access -"
INVENTORY = Path(__file__).parent / "inventory.txt"
OUTPUTS = {
    "page_url",
    "api_url",
    "orders_url",
    "order_status_url",
    "topic_arn",
    "queue_url",
    "dead_letter_queue_url",
    "orders_table",
    "menu_table",
    "metrics_table",
    "worker_log_group",
    "subscription_dead_letter_queue_url",
    "worker_mapping",
    "reconcile_function",
    "migrate_function",
    "backup_function",
    "backup_log_group",
    "backup_bucket",
    "alarm_topic_arn",
    "menu_url",
    "dashboard_access",
    "status_function",
    "staff_function",
    "user_pool_id",
    "waiting_alarm_minutes",
    "database_identifier",
    "deployed_settings",
    "readme",
}


def inventory(program: Program) -> list[str]:
    lines = []
    for resource in program.resources:
        # urn:pulumi:STACK::PROJECT::TYPES::NAME, and the parent's own name, which the types do not tell.
        kind, name = resource.urn.split("::")[2:]
        parent = resource.parent.split("::")[-1] if resource.custom else "-"
        tagged = "tagged" if "tags" in resource.inputs else "-"
        lines.append(f"{kind} {name} in {parent} {tagged}")
    return sorted(line for line in lines if f"pulumi:pulumi:Stack {PROJECT}-" not in line)


def network_lines(program: Program) -> set[str]:
    lines = {line for line in inventory(program) if line.startswith("cafe:orders:Network$")}
    return {line for line in lines if line.split(" in ")[0] in {*PRIVATE, *OVER_IPV6}}


def test_every_resource_is_where_it_was(program: Program) -> None:
    """After a change that is meant, write `inventory(program)` to the file, and give what moved an alias.

    What a stack has only for one kind of access is in `test_access.py`, and for one kind of network in
    `test_network.py`.
    """
    found = [line for line in inventory(program) if line not in {READERS, *network_lines(program)}]
    assert found == INVENTORY.read_text(encoding="utf-8").splitlines()


def test_tags_tell_the_project_and_the_stack(prod: Program) -> None:
    tagged = [resource for resource in prod.resources if "tags" in resource.inputs]
    assert len(tagged) > 50
    for resource in tagged:
        assert {"Project": PROJECT, "Stack": "prod"}.items() <= resource.inputs["tags"].items()


def test_parts_of_the_network_have_names_in_the_console(prod: Program) -> None:
    names = {r.inputs["tags"].get("Name") for r in prod.resources if "tags" in r.inputs}
    assert names == {
        None,
        f"{PROJECT}-prod-vpc",
        f"{PROJECT}-prod-private-routes",
        f"{PROJECT}-prod-private-1",
        f"{PROJECT}-prod-private-2",
        f"{PROJECT}-prod-functions",
        f"{PROJECT}-prod-database",
        f"{PROJECT}-prod-endpoints",
        f"{PROJECT}-prod-dynamodb-endpoint",
        f"{PROJECT}-prod-s3-endpoint",
        f"{PROJECT}-prod-secretsmanager-endpoint",
        f"{PROJECT}-prod-sqs-endpoint",
    }


def test_every_resource_belongs_to_a_component(program: Program) -> None:
    for resource in program.resources:
        if resource.custom and resource.type != "pulumi:pulumi:Stack":
            assert "cafe:orders:" in resource.parent, resource.urn


HOLD_DATA_OR_AN_ADDRESS = {
    "Bucket order-status-page",
    "Distribution page",
    "Instance cafe-db",
    "Queue OrderDLQ",
    "Queue OrderQueue",
    "Queue OrderSubscriptionDLQ",
    "RestApi orders",
    "Secret CafeDevDBSM",
    "Stage orders",
    "Table CafeMenu",
    "Table CafeOrderMetrics",
    "Table Orders",
    "Topic Alarms",
    "Topic OrderTopic",
    "UserPool cafe",
}


def last_resource(program: Program) -> Resource:
    (found,) = (resource for resource in program.resources if resource.name == "last-resource")
    return found


def test_prod_refuses_to_delete_what_holds_data_or_an_address(prod: Program) -> None:
    protected = {
        f"{resource.type.rpartition(':')[2]} {resource.name}"
        for resource in prod.resources
        if resource.protect and resource != last_resource(prod)
    }
    assert protected == HOLD_DATA_OR_AN_ADDRESS


def test_nothing_that_the_previous_release_does_not_know_refuses_the_way_back_to_it(prod: Program) -> None:
    for name in ("CafeStatusDBSM", "IdempotencyKeys", "TrackingKeys", "orders-backup"):
        found = next(r for r in prod.resources if r.name == name)
        assert not found.protect
        assert not found.inputs.get("deletionProtectionEnabled")


def test_no_component_is_protected_for_its_children_would_be(prod: Program) -> None:
    assert not any(resource.protect for resource in prod.resources if not resource.custom)


def test_the_last_resource_is_deleted_first_and_so_stops_a_destroy(program: Program) -> None:
    last = last_resource(program)
    others = {r.urn for r in program.resources if r.custom and r.type != "pulumi:pulumi:Stack"} - {last.urn}
    assert set(last.depends_on) == others


def test_the_last_resource_is_protected_where_deletion_is(dev: Program, prod: Program) -> None:
    assert (last_resource(dev).protect, last_resource(prod).protect) == (False, True)


def test_the_program_warns_of_nothing(program: Program) -> None:
    assert program.warnings == ""


def test_the_outputs_are_those_of_the_contract(program: Program) -> None:
    assert set(program.outputs) == OUTPUTS


def test_the_stacks_own_page_names_outputs_that_exist(program: Program) -> None:
    named = re.findall(r"\$\{outputs\.(\w+)\}", program.outputs["readme"])
    assert len(named) > 5
    assert set(named) <= OUTPUTS
    assert all(isinstance(value, str) and value for value in program.outputs.values())


@pytest.mark.parametrize("name", ["SubnetGroup", "ParameterGroup", "Instance", "Bucket"])
def test_names_that_aws_wants_in_lower_case_are(program: Program, name: str) -> None:
    for resource in program.resources:
        if resource.type.endswith(f":{name}"):
            assert resource.name == resource.name.lower()


def test_names_hold_no_character_that_a_physical_name_cannot(program: Program) -> None:
    # Pulumi makes names, and the ids of permissions, out of them.
    assert not [
        r.name
        for r in program.resources
        if not r.name.replace("-", "").replace(".", "").replace("_", "").isalnum()
    ]


def test_main_reads_like_the_architecture() -> None:
    main = Path(__file__).parent.parent.parent / "__main__.py"
    assert len(main.read_text(encoding="utf-8").splitlines()) < 80
