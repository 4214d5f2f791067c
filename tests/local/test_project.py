"""Configuration of the Pulumi program."""

from __future__ import annotations

import json
from pathlib import Path

from local import project

ROOT = Path(__file__).parents[2]

PULUMI_YAML = """
name: shop
runtime: python
config:
  pulumi:autonaming:
    value:
      pattern: ${name}-${stack}
  plain: text
  number: {type: integer, default: 10, description: A number}
  flag: {type: boolean, default: true}
  deletionProtection: {type: boolean, default: true}
  list: {type: array, default: [Coffee=3]}
  without: {type: string}
"""


def test_defaults_and_overrides_become_strings(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text(PULUMI_YAML)
    declared = project.load(tmp_path)
    assert declared.name == "shop"
    assert declared.naming == "${name}-${stack}"
    assert declared.configuration == {
        "aws:region": project.REGION,
        "shop:plain": "text",
        "shop:number": "10",
        "shop:flag": "true",
        "shop:deletionProtection": "false",
        "shop:list": json.dumps(["Coffee=3"]),
    }


def test_chosen_settings_take_precedence(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text(PULUMI_YAML)
    chosen = {"plain": "other", "deletionProtection": "true", "aws:region": "eu-west-1", "unknown": "1"}
    configuration = project.load(tmp_path, chosen).configuration
    assert configuration["shop:plain"] == "other"
    assert configuration["shop:deletionProtection"] == "true"
    assert configuration["aws:region"] == "eu-west-1"
    # The program refuses an unknown setting.
    assert configuration["shop:unknown"] == "1"


def test_a_project_needs_no_settings(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: shop\n")
    declared = project.load(tmp_path)
    assert declared.configuration == {"aws:region": project.REGION}
    assert declared.naming == project.DEFAULT_NAMING


def test_every_override_is_a_setting_of_the_project() -> None:
    declared = project.load(ROOT)
    assert {f"{declared.name}:{key}" for key in project.OVERRIDES} <= set(declared.configuration)


def test_a_local_stack_has_no_domain_of_its_own() -> None:
    chosen = {"domain": "cafe.example.com", "hostedZone": "Z0123456789ABCDEFGHIJ"}
    declared = project.load(ROOT, chosen)
    assert {declared.configuration[f"{declared.name}:{key}"] for key in project.IGNORED} == {""}
