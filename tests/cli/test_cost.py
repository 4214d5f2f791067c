"""`cafe cost`, from prepared resources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from cli.commands import cost
from infra import recording
from tests.cli.conftest import Cafe

RESOURCES: list[dict[str, Any]] = [
    {"type": "aws:lambda/function:Function", "inputs": {"memorySize": 512}},
    {
        "type": "aws:rds/instance:Instance",
        "inputs": {"instanceClass": "db.t4g.micro", "allocatedStorage": 20},
    },
    {"type": "aws:sqs/queue:Queue", "inputs": {}},
]


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "_resources", lambda stack: RESOURCES)


def test_the_bill_has_a_row_per_service_and_the_largest_items(cafe: Cafe, recorded: None) -> None:
    result = cafe("cost", "--orders-per-day", "0", "--screens", "0")
    assert result.exit_code == 0
    assert "13.98" in result.stdout
    assert "11.68  the database, db.t4g.micro: `databaseInstanceClass`" in result.stdout


def test_the_bill_as_json_has_dollars_by_service_order_and_screen(cafe: Cafe, recorded: None) -> None:
    document = json.loads(cafe("cost", "--stack", "prod", "--json").stdout)
    assert document["stack"] == "prod"
    assert document["at_rest"]["rds"] == pytest.approx(13.98)
    spent = document["per_order"] * 500 * 730 / 24 + document["per_screen"]
    assert document["total"] == pytest.approx(sum(document["at_rest"].values()) + spent)


def test_a_stack_in_another_region_than_the_prices_is_named(
    cafe: Cafe, recorded: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {'aws:region': eu-central-1}", encoding="utf-8")
    monkeypatch.setattr(cost, "REPOSITORY", tmp_path)
    assert "The stack is in eu-central-1, where prices differ from these of us-east-1." in cafe("cost").stdout


def test_an_unknown_stack_is_refused_with_the_list_of_stacks(cafe: Cafe) -> None:
    result = cafe("cost", "--stack", "prdo")
    assert result.exit_code == 2
    assert "Pulumi.prdo.yaml does not exist. Stacks with a file: dev, prod" in result.stderr


def test_wrong_settings_are_reported_as_a_deploy_reports_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(stack: str, changes: object) -> dict[str, Any]:
        raise pulumi.RunError("These settings are invalid:\n  timeZone: is missing")

    monkeypatch.setattr(recording, "record", refuse)
    assert recording.main(["dev"]) == 2
    assert capsys.readouterr().err.startswith("These settings are invalid:")


def test_a_file_that_is_not_valid_yaml_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def read(stack: str, changes: object) -> dict[str, Any]:
        return dict(yaml.safe_load("config: ["))

    monkeypatch.setattr(recording, "record", read)
    assert recording.main(["dev"]) == 2
    assert capsys.readouterr().err.startswith("Pulumi.dev.yaml is not valid YAML: ")


@pytest.mark.parametrize("value", ["{secure: v1:abc}", "[Ada, {secure: v1:abc}]"])
def test_an_encrypted_setting_is_named(tmp_path: Path, value: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nconfig: {}\n", encoding="utf-8")
    text = f"config:\n  aws:token: {{secure: v1:abc}}\n  users: {value}\n"
    (tmp_path / "Pulumi.new.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(recording.EncryptedSettingError, match=r"^Pulumi\.new\.yaml: .* shop:users\.$"):
        recording.configuration("new", tmp_path)


@pytest.mark.parametrize("text", ["", "encryptionsalt: v1:abc\n", "config:\n"])
def test_a_file_without_settings_has_the_defaults(tmp_path: Path, text: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nconfig: {days: {default: 7}}\n", encoding="utf-8")
    (tmp_path / "Pulumi.new.yaml").write_text(text, encoding="utf-8")
    assert recording.configuration("new", tmp_path) == {"shop:days": "7"}
