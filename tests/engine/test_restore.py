"""The deploys of `cafe restore`, and what a restore that broke off leaves behind."""

from __future__ import annotations

import json
from pathlib import Path

from tests.engine.conftest import Life
from tests.engine.stack import lost

DATABASE = "aws:rds/instance:Instance"
SECRET = "aws:secretsmanager/secretVersion:SecretVersion"
MIGRATION = "aws:lambda/invocation:Invocation"
OFF, ON = {"deletionProtection": "false"}, {"deletionProtection": "true"}
SNAPSHOT = {"databaseSnapshot": "cafe-2026-11-01", "databaseStorage": "31"}


def test_the_database_of_a_protected_stack_is_replaced_by_three_deploys_and_nothing_else_is(
    prod: Life, tmp_path: Path
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
    # The worker and the rules, which `cafe restore` has paused, stay paused.
    paused = {"EventSourceMapping OrderQueue", "EventRule ReconcileOrders", "EventRule AuditOrders"}
    assert replaced.changed & paused == set()
    protected = stack.up(ON)
    assert (protected.error, lost(protected)) == ("", set())
    assert stack.urns == prod.stack.urns


def test_a_database_without_the_master_users_secret_stops_a_preview_with_a_sentence(
    dev: Life, tmp_path: Path
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
