"""The deploys of `cafe restore`, and the result of an interrupted restore."""

from __future__ import annotations

import json
from pathlib import Path

from tests.engine.conftest import DeployedStack
from tests.engine.stack import lost

DATABASE = "aws:rds/instance:Instance"
SECRET = "aws:secretsmanager/secretVersion:SecretVersion"
MIGRATION = "aws:lambda/invocation:Invocation"
OFF, ON = {"deletionProtection": "false"}, {"deletionProtection": "true"}
SNAPSHOT = {"databaseSnapshot": "cafe-2026-11-01", "databaseStorage": "31"}


def test_three_deploys_replace_only_the_database_of_a_protected_stack(
    prod: DeployedStack, tmp_path: Path
) -> None:
    stack = prod.stack.copy(tmp_path)
    assert "cafe-db" in stack.copy(tmp_path / "protected").preview(SNAPSHOT).error
    assert lost(stack.up(OFF)) == set()

    replaced = stack.up(SNAPSHOT)

    assert replaced.error == ""
    assert lost(replaced) == {"Instance cafe-db"}
    steps = {step.verb: step for step in replaced.steps if step.type == DATABASE}
    made, gone = steps["create-replacement"], steps["delete-replaced"]
    login = replaced.step("CafeDevDBSM", SECRET)
    migrated = max(step.ended or 0 for step in replaced.steps if step.type == MIGRATION)
    assert (made.ended or 0) < login.begun < migrated < gone.begun
    # The deploy does not resume the worker and the rules, which `cafe restore` has paused.
    paused = {"EventSourceMapping OrderQueue", "EventRule ReconcileOrders", "EventRule AuditOrders"}
    assert replaced.changed & paused == set()
    protected = stack.up(ON)
    assert (protected.error, lost(protected)) == ("", set())
    assert stack.urns == prod.stack.urns


def test_a_database_without_the_master_users_secret_stops_the_preview(
    dev: DeployedStack, tmp_path: Path
) -> None:
    stack = dev.stack.copy(tmp_path)
    document = json.loads(stack.state.read_text("utf-8"))
    for resource in document["checkpoint"]["latest"]["resources"]:
        if resource["type"] == DATABASE:
            resource["outputs"]["masterUserSecrets"] = []
    stack.state.write_text(json.dumps(document), "utf-8")
    errors = stack.preview().error
    assert "has no secret of its master user" in errors
    assert "aws rds modify-db-instance" in errors
    assert "Traceback" not in errors
