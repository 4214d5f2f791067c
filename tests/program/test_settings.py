"""Settings: typed, checked all at once, declared in one place."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from pulumi import RunError

from infra import settings
from tests.program.conftest import recorded
from tests.program.record import PROJECT, ROOT, configuration

DECLARED = {
    key: entry
    for key, entry in yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))["config"].items()
    if ":" not in key
}


def parse(stack: str = "dev", **changes: str) -> settings.Settings:
    given = {
        key.removeprefix(f"{PROJECT}:"): value
        for key, value in configuration("none").items()
        if key.startswith(PROJECT)
    }
    return settings.parse(stack, {**given, **changes})


def complaint(stack: str = "dev", **changes: str) -> str:
    with pytest.raises(settings.SettingsError) as caught:
        parse(stack, **changes)
    return str(caught.value)


def test_the_defaults_are_right() -> None:
    assert parse().menu == {"Coffee": Decimal(3), "Latte": Decimal(5), "Tea": Decimal(2)}
    assert parse().deletion_protection is True


def test_every_setting_is_declared_with_its_type_default_and_description() -> None:
    fields = {field.alias for field in settings.Settings.model_fields.values()}
    assert set(DECLARED) == fields
    for key, entry in DECLARED.items():
        assert entry["description"], key
        assert entry["type"] in ("string", "integer", "boolean", "array"), key
        assert "default" in entry, key


def test_a_description_tells_the_range() -> None:
    for field in settings.Settings.model_fields.values():
        bounds = [
            bound
            for metadata in field.metadata
            for bound in (getattr(metadata, "ge", None), getattr(metadata, "le", None))
            if bound is not None
        ]
        numbers = re.findall(r"\d+", DECLARED[field.alias or ""]["description"])
        assert {str(bound) for bound in bounds} <= set(numbers), field.alias


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_a_stacks_file_names_settings_that_exist(stack: str) -> None:
    own = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))["config"]
    assert {key.removeprefix(f"{PROJECT}:") for key in own} <= {*DECLARED, "aws:region"}


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("batchSize", "0", "greater than or equal to 1"),
        ("batchSize", "many", "valid integer"),
        ("workerConcurrency", "1", "greater than or equal to 2"),
        ("timeZone", "Mars/Olympus", "IANA time zone"),
        ("menu", '["Latte"]', "ITEM=PRICE"),
        ("menu", '["Latte=1", "Latte=2"]', "each item once"),
        ("menu", "Latte=1", "a list"),
        ("menu", json.dumps([f"item {n}=1" for n in range(101)]), "at most 100 items"),
        ("pythonRuntime", "python3.9", "'python3.12'"),
        ("networkCidr", "8.8.0.0/16", "private IPv4 network"),
        ("networkCidr", "10.0.0.1/16", "private IPv4 network"),
        ("logRetentionDays", "8", "must be one of 1, 3, 5"),
        ("queueSenders", '["*"]', "arn:aws"),
        ("apiStage", "a/b", "A-Za-z0-9-"),
        ("databaseMultiAz", "perhaps", "valid boolean"),
        ("databaseSnapshot", "a snapshot", "pattern"),
        ("dashboardAccess", "everybody", "'public', 'cidrs' or 'login'"),
        ("dashboardCidrs", '["10.0.0.1/8"]', "203.0.113.0/24 or 2001:db8::/32"),
        ("dashboardCidrs", '["0.0.0.0/0"]', "must not be everybody"),
        ("dashboardCidrs", json.dumps([f"10.0.{n}.0/24" for n in range(51)]), "at most 50 items"),
        ("dashboardUsers", '["ada"]', "e-mail address"),
        ("dashboardUsers", '["ada@example.org", "Ada@example.org"]', "each once"),
        ("customerNames", "some", "'full', 'initial' or 'none'"),
        ("ordersApiKey", "perhaps", "valid boolean"),
        ("locale", "en_US", "pattern"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(key: str, value: str, allowed: str) -> None:
    message = complaint(**{key: value})
    assert key in message
    assert allowed in message


def test_a_large_batch_needs_a_window() -> None:
    assert "batchWindow" in complaint(batchSize="11")
    assert parse(batchSize="11", batchWindow="1").batch_size == 11


def test_names_in_full_are_not_for_everybody() -> None:
    message = complaint(dashboardAccess="public", customerNames="full")
    assert "customerNames" in message
    assert "dashboardAccess" in message
    assert parse(dashboardAccess="login", customerNames="full").customer_names == "full"


def test_limiting_networks_needs_one() -> None:
    assert "dashboardCidrs" in complaint(dashboardAccess="cidrs")
    networks = parse(dashboardAccess="cidrs", dashboardCidrs='["2001:DB8::/32"]').dashboard_cidrs
    assert networks == ["2001:db8::/32"]


def test_who_may_see_names_is_to_be_said_where_nothing_is_set() -> None:
    assert (parse().dashboard_access, parse().customer_names) == ("login", "initial")


def test_a_misspelt_setting_is_found() -> None:
    assert "batchsize: there is no such setting" in complaint(batchsize="5")


@pytest.mark.parametrize("stack", ["Prod", "a" * 17, "1st", "my_stack", "prod-", "my--stack", ""])
def test_a_stacks_name_becomes_part_of_physical_names(stack: str) -> None:
    assert repr(stack) in complaint(stack)


@pytest.mark.parametrize("stack", ["a", "prod", "cafe-1-berlin", "a" * 16])
def test_a_stack_can_have_a_short_plain_name(stack: str) -> None:
    assert parse(stack)


def test_all_wrong_settings_are_listed_at_once() -> None:
    message = complaint(batchSize="0", apiStage="", timeZone="x", bogus="1")
    assert [key for key in ("batchSize", "apiStage", "timeZone", "bogus") if key in message] == [
        "batchSize",
        "apiStage",
        "timeZone",
        "bogus",
    ]


def test_a_wrong_setting_stops_the_program_with_a_sentence() -> None:
    with pytest.raises(RunError, match=r"^These settings are wrong:\n"):
        recorded("dev", batchSize="0", bogus="1")


def test_a_region_without_a_root_certificate_stops_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    from infra import packages

    with pytest.raises(RunError, match="mars-north-1"):
        packages.database_certificate("mars-north-1")


def test_the_certificates_are_amazons_roots() -> None:
    from cryptography import x509

    for path in sorted(Path(ROOT / "functions" / "rds_roots").glob("*.pem")):
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        assert f"Amazon RDS {path.stem} Root CA RSA2048 G1" in certificate.subject.rfc4514_string()
        certificate.verify_directly_issued_by(certificate)
