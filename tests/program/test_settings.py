"""Parsing of settings, and their declarations in `Pulumi.yaml`."""

from __future__ import annotations

import json
from decimal import Decimal
from importlib.metadata import version

import pytest
import yaml
from cryptography import x509
from pulumi import RunError

from infra import regions, setting_parsers, settings
from infra.recording import ROOT
from tests.program.conftest import recorded
from tests.program.setting_values import DEFAULTS, error_message, parse

PROJECT = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))
DECLARED = {key: entry for key, entry in PROJECT["config"].items() if ":" not in key}


def test_the_defaults_are_valid() -> None:
    assert parse().menu == {"Coffee": Decimal(3), "Latte": Decimal(5), "Tea": Decimal(2)}
    assert parse().deletion_protection is True


def test_every_setting_is_declared_with_its_type_default_and_description() -> None:
    assert set(DECLARED) == set(settings.PARSERS)
    for key, entry in DECLARED.items():
        assert entry["description"], key
        # With a type, Pulumi's CLI would refuse a menu as text.
        assert ("type" not in entry) == (key == "menu")
        assert entry.get("type", "array") in ("string", "integer", "boolean", "array"), key
        assert "default" in entry, key


def test_a_description_contains_the_range() -> None:
    for key, parser in settings.PARSERS.items():
        if isinstance(parser, setting_parsers.Integer):
            assert f"{parser.minimum} to {parser.maximum}" in DECLARED[key]["description"]


def test_an_order_turns_red_after_it_turned_amber() -> None:
    assert parse(warnMinutes="5", overdueMinutes="6").overdue_minutes == 6
    assert "overdueMinutes: must be more than warnMinutes" in error_message(
        warnMinutes="6", overdueMinutes="6"
    )


def test_the_alarm_for_late_orders_is_within_the_hours_in_which_orders_are_open() -> None:
    assert parse(openHours="1", waitingAlarmMinutes="59").waiting_alarm_minutes == 59
    assert "waitingAlarmMinutes: must be less" in error_message(openHours="1", waitingAlarmMinutes="60")


def test_a_new_project_is_asked_for_region_time_zone_and_menu() -> None:
    prompts = {key: entry["default"] for key, entry in PROJECT["template"]["config"].items()}
    assert prompts.pop("aws:region") == "us-east-1"
    assert prompts.keys() == {"timeZone", "menu"}
    assert parse(**prompts) == parse()


def test_a_menu_may_be_comma_separated() -> None:
    assert parse(menu="Espresso=2.5, Cake=4").menu == {"Espresso": Decimal("2.5"), "Cake": Decimal(4)}
    assert parse(menu=" Latte = 5 ").menu == {"Latte": Decimal(5)}


def test_a_setting_under_another_projects_name_stops_the_deploy() -> None:
    renamed = {
        "myshop:menu": "Tea=2",
        "cafe-orders:deletionProtection": "true",
        "aws:region": "eu-west-1",
        "random:anything": "1",
    }
    found = settings.of_project(renamed, "myshop")
    assert found == {"menu": "Tea=2", "cafe-orders:deletionProtection": "true"}
    message = error_message(**found)
    assert "'cafe-orders:deletionProtection': belongs to project 'cafe-orders', not to this one" in message
    assert "write deletionProtection alone" in message


def test_values_have_the_declared_types() -> None:
    kinds = {"string": str, "integer": int, "boolean": bool, "array": list | dict}
    parsed = parse()
    for key, name in settings.FIELDS.items():
        assert isinstance(getattr(parsed, name), kinds[DECLARED[key].get("type", "array")]), key


@pytest.mark.parametrize("stack", ["dev", "prod", "smoke"])
def test_a_stacks_file_contains_known_settings_only(stack: str) -> None:
    own = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))["config"]
    # Without the project's name, which `pulumi new` sets.
    assert set(own) <= {*DECLARED, "aws:region"}


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("batchSize", "0", "a whole number from 1 to 10000"),
        ("batchSize", "many", "a whole number"),
        ("batchSize", "1.5", "a whole number"),
        ("batchSize", "１２", "in the digits 0 to 9"),
        ("batchSize", "0x10", "a whole number"),
        ("batchSize", "9" * 5000, "a whole number"),
        ("workerConcurrency", "1", "from 2 to 1000"),
        ("timeZone", "Mars/Olympus", "IANA time zone"),
        ("timeZone", "posix/Europe/Berlin", "IANA time zone"),
        ("timeZone", "europe/berlin", "IANA time zone"),
        ("timeZone", "localtime", "IANA time zone"),
        ("timeZone", "../tzdata/zones", "IANA time zone"),
        ("menu", '["Latte"]', "ITEM=PRICE"),
        ("menu", '["Latte=1", "Latte = 2"]', "each entry once, and lists 'Latte' twice"),
        ("menu", '["Caf\\u00e9=1", "Cafe\\u0301=2"]', "each entry once"),
        ("menu", "Latte", "a list"),
        ("menu", "Latte=1,", "ITEM=PRICE"),
        ("menu", "[" * 100_000, "a list"),
        ("menu", '{"Latte": 5}', "a list"),
        ("menu", '[{"Latte": 5}]', "ITEM=PRICE"),
        ("menu", json.dumps([f"item {n}=1" for n in range(101)]), "up to 100"),
        ("menu", '["Latte=NaN"]', "price from 0 to 1000000"),
        ("menu", '["Latte=Infinity"]', "price from 0 to 1000000"),
        ("menu", f'["Latte=0.{"1" * 45}"]', "at most 3 decimals"),
        ("menu", '["Latte=1e5"]', "price from 0 to 1000000"),
        ("menu", '["Latte=1000000.001"]', "price from 0 to 1000000"),
        ("menu", '["Latte=٣"]', "price from 0 to 1000000"),
        ("menu", '["Latte=-1"]', "price from 0 to 1000000"),
        ("menu", '["\\ud83d=1"]', "written as UTF-8"),
        ("menu", '["\\u200b=1"]', "not all invisible"),
        ("menu", '["\\u2800=1"]', "not all invisible"),
        ("menu", f'["{"x" * 101}=1"]', "1 to 100 characters"),
        ("menu", '["La\\u0000tte=1"]', "without control characters"),
        ("menu", '["\\u202eettaL=1"]', "direction of text"),
        ("pythonRuntime", "python3.9", "python3.12"),
        ("networkCidr", "8.8.0.0/16", "private IPv4 network"),
        ("networkCidr", "10.0.0.1/16", "private IPv4 network"),
        ("logRetentionDays", "8", "must be 1, 3, 5"),
        ("logRetentionDays", "３０", "must be 1, 3, 5"),
        ("queueSenders", '["*"]', "arn:aws"),
        ("queueSenders", '["arn:aws:iam::１２３４５６７８９０１２:role/shop"]', "arn:aws"),
        ("queueSenders", '["arn:aws:iam::123456789012:role/*"]', "arn:aws"),
        ("queueSenders", '["arn:aws:iam::123456789012:role/two words"]', "arn:aws"),
        ("queueSenders", '["arn:aws-cn:iam::123456789012:role/shop"]', "arn:aws"),
        (
            "queueSenders",
            '["arn:aws:iam::123456789012:role/a", "arn:aws:iam::123456789012:role/a"]',
            "each entry once",
        ),
        ("apiStage", "a/b", "1 to 32 characters of A-Z, a-z, 0-9 and hyphen"),
        ("apiStage", "test-invoke-stage", "test-invoke-stage is reserved"),
        ("databaseMultiAz", "perhaps", "true or false"),
        ("databaseMultiAz", "1", "true or false"),
        ("databaseInstanceClass", "db.t2.micro", "MySQL 8.4"),
        ("databaseInstanceClass", "db.t4g.giant", "MySQL 8.4"),
        ("databaseSnapshot", "a snapshot", "name of an RDS snapshot"),
        ("databaseSnapshot", "ends-with-", "name of an RDS snapshot"),
        ("databaseSnapshot", "two--hyphens", "name of an RDS snapshot"),
        ("databaseSnapshot", "x" * 256, "name of an RDS snapshot"),
        ("databaseSnapshot", "arn:aws:rds:us-east-1:123456789012:cluster-snapshot:cafe", "name of an RDS"),
        ("dashboardAccess", "everybody", "public, cidrs or login"),
        ("dashboardCidrs", '["10.0.0.1/8"]', "203.0.113.0/24 or 2001:db8::/32"),
        ("dashboardCidrs", '["0.0.0.0/0"]', "must not cover every address"),
        ("dashboardCidrs", '["0.0.0.0/1", "128.0.0.0/1"]', "must not cover every address"),
        ("dashboardCidrs", '["192.168.1.0/24"]', "must be a public network"),
        ("dashboardCidrs", '["::ffff:203.0.113.0/120"]', "IPv4's own notation"),
        ("dashboardCidrs", '["2001:db8::%eth0/64"]', "IPv4 or IPv6 network"),
        ("dashboardCidrs", "[5]", "IPv4 or IPv6 network"),
        ("dashboardCidrs", json.dumps([f"203.0.{n}.0/24" for n in range(51)]), "up to 50"),
        ("dashboardUsers", '["ada"]', "e-mail address"),
        ("dashboardUsers", '[""]', "e-mail address"),
        ("dashboardUsers", '["ada@exämple.org"]', "e-mail address"),
        ("dashboardUsers", f'["{"a" * 64}@{"b" * 60}.org"]', "at most 128 characters"),
        ("dashboardUsers", json.dumps([f"ada{n}@example.org" for n in range(51)]), "up to 50"),
        ("alarmEmail", "ada@example..org", "e-mail address"),
        ("alarmEmail", "ada.@example.org", "e-mail address"),
        ("alarmEmail", "Ada <ada@example.org>", "e-mail address"),
        ("dashboardUsers", '["ada@example.org", "Ada@example.org"]', "each entry once"),
        ("alarmTopics", '["pager"]', "ARN of a standard SNS topic"),
        ("alarmTopics", '["arn:aws:sns:us-east-1:123456789012:pager.fifo"]', "ARN of a standard SNS topic"),
        ("alarmTopics", json.dumps(["arn:aws:sns:us-east-1:1:t"] * 5), "up to 4"),
        ("runbookUrl", "http://example.org/runbook.md", "https URL"),
        ("runbookUrl", "https://example.org/runbook.md#alarms", "without an anchor"),
        ("runbookUrl", f"https://example.org/{'x' * 281}", "at most 300 characters"),
        ("customerNames", "some", "full, initial or none"),
        ("ordersApiKey", "perhaps", "true or false"),
        ("locale", "en_US", "BCP 47"),
        ("locale", "en-12", "BCP 47"),
        ("locale", "de-DE-DE", "BCP 47"),
        ("networkCidr", "127.0.0.0/16", "private IPv4 network"),
        ("networkCidr", "169.254.0.0/16", "private IPv4 network"),
        ("networkCidr", "198.18.0.0/16", "private IPv4 network"),
    ],
)
def test_an_invalid_setting_is_reported_with_the_allowed_values(key: str, value: str, allowed: str) -> None:
    message = error_message(**{key: value})
    assert key in message
    assert allowed in message


def test_a_large_batch_requires_a_window() -> None:
    assert "batchWindow" in error_message(batchSize="11")
    assert parse(batchSize="11", batchWindow="1").batch_size == 11


def test_orders_must_not_wait_for_a_batch_for_longer_than_the_objective() -> None:
    assert "recordedWithin: must be more than batchWindow" in error_message(batchWindow="60")
    assert parse(batchWindow="60", recordedWithin="61").recorded_within == 61
    assert parse(batchWindow="300", recordedWithin="0").recorded_within == 0


def test_topics_of_alarms_must_be_in_the_stacks_region() -> None:
    changed = {**DEFAULTS, "alarmTopics": '["arn:aws:sns:eu-west-1:123456789012:pager"]'}
    assert settings.parse("dev", changed, "eu-west-1").alarm_topics
    with pytest.raises(settings.SettingsError, match="alarmTopics: must be in the stack's region us-east-1"):
        settings.parse("dev", changed, "us-east-1")


def test_full_names_are_refused_with_public_access() -> None:
    message = error_message(dashboardAccess="public", customerNames="full")
    assert "customerNames" in message
    assert "dashboardAccess" in message
    assert parse(dashboardAccess="login", customerNames="full").customer_names == "full"


def test_a_budget_requires_an_address() -> None:
    assert "alarmEmail: must be set" in error_message(monthlyBudget="30")
    assert parse(monthlyBudget="30", alarmEmail="ops@example.org").monthly_budget == 30


def test_mfa_is_on_if_either_of_its_names_is_true() -> None:
    assert not parse().dashboard_mfa
    assert parse(dashboardMfa="true").dashboard_mfa
    assert parse(dashboardSecondFactor="true").dashboard_mfa
    assert parse(dashboardMfa="true", dashboardSecondFactor="false").dashboard_mfa
    assert not parse(dashboardSecondFactor="false").dashboard_mfa
    assert "must be true or false" in error_message(dashboardSecondFactor="perhaps")


def test_the_required_cli_is_not_newer_than_the_installed_sdk() -> None:
    """Pulumi releases both with the same version."""
    document = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))
    required = document["requiredPulumiVersion"].removeprefix(">=")
    assert tuple(map(int, required.split("."))) <= tuple(map(int, version("pulumi").split(".")))


def test_cidrs_requires_a_network() -> None:
    assert "dashboardCidrs" in error_message(dashboardAccess="cidrs")
    networks = parse(dashboardAccess="cidrs", dashboardCidrs='["2001:DB8::/32"]').dashboard_cidrs
    assert networks == ["2001:db8::/32"]


def test_a_snapshot_must_be_in_the_stacks_region() -> None:
    changed = {**DEFAULTS, "databaseSnapshot": "arn:aws:rds:eu-west-1:123456789012:snapshot:rds:cafe"}
    assert settings.parse("dev", changed, "eu-west-1").database_snapshot == changed["databaseSnapshot"]
    with pytest.raises(
        settings.SettingsError, match="databaseSnapshot: must be in the stack's region us-east-1"
    ):
        settings.parse("dev", changed, "us-east-1")
    for name in ("rds:cafe-2026-11-01-05-37", "cafe", ""):
        assert settings.parse("dev", {**DEFAULTS, "databaseSnapshot": name}, "us-east-1")


def test_the_defaults_protect_customers_names() -> None:
    assert (parse().dashboard_access, parse().customer_names) == ("login", "initial")


def test_a_misspelt_setting_is_reported() -> None:
    assert "'batchsize': unknown setting" in error_message(batchsize="5")


@pytest.mark.parametrize("stack", ["Prod", "a" * 17, "1st", "my_stack", "prod-", "my--stack", ""])
def test_a_stacks_name_that_does_not_fit_physical_names_is_refused(stack: str) -> None:
    assert repr(stack) in error_message(stack)


@pytest.mark.parametrize("stack", ["a", "prod", "cafe-1-berlin", "a" * 16])
def test_a_short_lower_case_stack_name_is_valid(stack: str) -> None:
    assert parse(stack)


def test_invalid_entries_of_a_list_are_reported_by_index() -> None:
    message = error_message(menu='["Latte=5", "Tea", "Cake=x"]', dashboardUsers='["ada@example.org", "bo"]')
    assert [line.partition(":")[0].strip() for line in message.splitlines()[1:]] == [
        "menu[1]",
        "menu[2]",
        "dashboardUsers[1]",
    ]


def test_conflicts_are_reported_together_with_invalid_settings() -> None:
    message = error_message(timeZone="x", batchSize="11", dashboardAccess="cidrs")
    for key in ("timeZone", "batchWindow", "dashboardCidrs"):
        assert f"  {key}: " in message


def test_a_long_invalid_value_is_cut_in_the_message() -> None:
    assert len(error_message(locale="x" * 100_000)) < 300


def test_all_invalid_settings_are_reported_at_once() -> None:
    message = error_message(batchSize="0", apiStage="", timeZone="x", bogus="1")
    for key in ("batchSize", "apiStage", "timeZone", "bogus"):
        assert key in message


def test_an_invalid_setting_stops_the_program_with_an_error_message() -> None:
    with pytest.raises(RunError, match=r"^These settings are invalid:\n"):
        recorded("dev", batchSize="0", bogus="1")


def test_a_region_without_a_root_certificate_is_refused() -> None:
    with pytest.raises(RunError, match="mars-north-1"):
        regions.database_certificate("mars-north-1")


def test_the_certificates_are_amazons_roots() -> None:
    for path in sorted((ROOT / "functions" / "rds_roots").glob("*.pem")):
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        assert f"Amazon RDS {path.stem} Root CA RSA2048 G1" in certificate.subject.rfc4514_string()
        certificate.verify_directly_issued_by(certificate)
