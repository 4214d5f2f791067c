"""All resources by name, parent, tags and protection: a change of these can replace a database."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infra.recording import PROJECT
from tests.program.conftest import Program, Resource
from tests.program.network_forms import OVER_IPV6, PRIVATE
from tests.program.outputs import OUTPUTS

# With `login` only
PAGE_CLIENT = "cafe:orders:Access$aws:cognito/userPoolClient:UserPoolClient page in access -"
INVENTORY = Path(__file__).parent / "inventory.txt"


def inventory(program: Program) -> list[str]:
    lines = []
    for resource in program.resources:
        # urn:pulumi:STACK::PROJECT::TYPES::NAME; the types do not contain the parent's name.
        kind, name = resource.urn.split("::")[2:]
        parent = resource.parent.split("::")[-1] if resource.custom else "-"
        tagged = "tagged" if "tags" in resource.inputs else "-"
        lines.append(f"{kind} {name} in {parent} {tagged}")
    return sorted(line for line in lines if f"pulumi:pulumi:Stack {PROJECT}-" not in line)


def network_lines(program: Program) -> set[str]:
    lines = {line for line in inventory(program) if line.startswith("cafe:orders:Network$")}
    return {line for line in lines if line.split(" in ")[0] in {*PRIVATE, *OVER_IPV6}}


def test_the_inventory_is_unchanged(program: Program) -> None:
    """After an intended change, write `inventory(program)` to the file, and add aliases to moved resources.

    It lacks the resources of one kind of access (`test_access.py`) or of the network (`network_forms.py`).
    """
    found = [line for line in inventory(program) if line not in {PAGE_CLIENT, *network_lines(program)}]
    assert found == INVENTORY.read_text(encoding="utf-8").splitlines()


def test_tags_contain_the_project_and_the_stack(prod: Program) -> None:
    tagged = [resource for resource in prod.resources if "tags" in resource.inputs]
    assert len(tagged) > 50
    for resource in tagged:
        assert {"Project": PROJECT, "Stack": "prod"}.items() <= resource.inputs["tags"].items()


def test_resources_of_the_network_have_a_name_in_the_console(prod: Program) -> None:
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


def test_prod_protects_resources_with_data_or_a_public_address(prod: Program) -> None:
    protected = {
        f"{resource.type.rpartition(':')[2]} {resource.name}"
        for resource in prod.resources
        if resource.protect and resource != last_resource(prod)
    }
    assert protected == HOLD_DATA_OR_AN_ADDRESS


def test_resources_that_the_previous_release_lacks_do_not_prevent_a_rollback(prod: Program) -> None:
    for name in ("CafeStatusDBSM", "IdempotencyKeys", "TrackingKeys", "orders-backup", "ErasedOrders"):
        found = next(r for r in prod.resources if r.name == name)
        assert not found.protect
        assert found.retained or not found.inputs.get("deletionProtectionEnabled")


def test_no_component_is_protected_since_its_children_would_inherit_it(prod: Program) -> None:
    assert not any(resource.protect for resource in prod.resources if not resource.custom)


def test_the_last_resource_depends_on_all_others_and_so_stops_a_destroy(program: Program) -> None:
    last = last_resource(program)
    others = {r.urn for r in program.resources if r.custom and r.type != "pulumi:pulumi:Stack"} - {last.urn}
    assert set(last.depends_on) == others


def test_the_last_resource_is_protected_with_deletion_protection(dev: Program, prod: Program) -> None:
    assert (last_resource(dev).protect, last_resource(prod).protect) == (False, True)


def test_the_program_logs_no_warning(program: Program) -> None:
    assert program.warnings == ""


def test_the_outputs_are_unchanged(program: Program) -> None:
    assert set(program.outputs) == OUTPUTS


def test_the_readme_of_the_stack_refers_to_existing_outputs(program: Program) -> None:
    named = re.findall(r"\$\{outputs\.(\w+)\}", program.outputs["readme"])
    assert len(named) > 5
    assert set(named) <= OUTPUTS
    assert all(isinstance(value, str) and value for value in program.outputs.values())


@pytest.mark.parametrize("name", ["SubnetGroup", "ParameterGroup", "Instance", "Bucket"])
def test_names_that_aws_requires_in_lower_case_are(program: Program, name: str) -> None:
    for resource in program.resources:
        if resource.type.endswith(f":{name}"):
            assert resource.name == resource.name.lower()


def test_logical_names_have_only_characters_of_physical_names(program: Program) -> None:
    # Pulumi derives physical names, and the ids of permissions, from them.
    assert not [
        r.name
        for r in program.resources
        if not r.name.replace("-", "").replace(".", "").replace("_", "").isalnum()
    ]


def test_main_reads_like_the_architecture() -> None:
    main = Path(__file__).parent.parent.parent / "__main__.py"
    assert len(main.read_text(encoding="utf-8").splitlines()) < 85
