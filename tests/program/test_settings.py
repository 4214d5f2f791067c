"""Settings: typed, checked all at once, declared in one place."""

from __future__ import annotations

import json
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from pulumi import RunError

from infra import generated_docs, setting_parsers, settings
from infra.recording import PROJECT, ROOT, configuration
from tests.program.conftest import recorded

DECLARED = {
    key: entry
    for key, entry in yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))["config"].items()
    if ":" not in key
}


DEFAULTS = {
    key.removeprefix(f"{PROJECT}:"): value
    for key, value in configuration("none").items()
    if key.startswith(PROJECT)
}


def parse(stack: str = "dev", **changes: str) -> settings.Settings:
    return settings.parse(stack, {**DEFAULTS, **changes})


def complaint(stack: str = "dev", **changes: str) -> str:
    with pytest.raises(settings.SettingsError) as caught:
        parse(stack, **changes)
    return str(caught.value)


def test_the_defaults_are_right() -> None:
    assert parse().menu == {"Coffee": Decimal(3), "Latte": Decimal(5), "Tea": Decimal(2)}
    assert parse().deletion_protection is True


def test_every_setting_is_declared_with_its_type_default_and_description() -> None:
    assert set(DECLARED) == set(settings.PARSERS)
    for key, entry in DECLARED.items():
        assert entry["description"], key
        # Pulumi's CLI would refuse a menu as text if it had a type.
        assert ("type" not in entry) == (key == "menu")
        assert entry.get("type", "array") in ("string", "integer", "boolean", "array"), key
        assert "default" in entry, key


def test_a_description_has_the_range() -> None:
    for key, parser in settings.PARSERS.items():
        if isinstance(parser, setting_parsers.Whole):
            assert f"{parser.least} to {parser.most}" in DECLARED[key]["description"]


def test_an_order_turns_red_after_it_turned_amber() -> None:
    assert parse(warnMinutes="5", overdueMinutes="6").overdue_minutes == 6
    assert "overdueMinutes: must be more than warnMinutes" in complaint(warnMinutes="6", overdueMinutes="6")


def test_no_alarm_waits_for_an_order_that_is_no_open_one_any_more() -> None:
    assert parse(openHours="1", waitingAlarmMinutes="59").waiting_alarm_minutes == 59
    assert "waitingAlarmMinutes: must be less" in complaint(openHours="1", waitingAlarmMinutes="60")


def test_a_menu_may_be_typed_as_one_text() -> None:
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
    message = complaint(**found)
    assert "'cafe-orders:deletionProtection': belongs to project 'cafe-orders', not to this one" in message
    assert "write deletionProtection alone" in message


def test_an_integer_is_parsed_as_one_and_a_list_as_one() -> None:
    kinds = {"string": str, "integer": int, "boolean": bool, "array": list | dict}
    parsed = parse()
    for key, name in settings.FIELDS.items():
        assert isinstance(getattr(parsed, name), kinds[DECLARED[key].get("type", "array")]), key


@pytest.mark.parametrize("stack", ["dev", "prod", "smoke"])
def test_a_stacks_file_names_settings_that_exist(stack: str) -> None:
    own = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))["config"]
    # Without the project's name: `pulumi new` lets people choose another.
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
        ("menu", '["Latte=1", "Latte = 2"]', "each once, and names 'Latte' again"),
        ("menu", '["Caf\\u00e9=1", "Cafe\\u0301=2"]', "each once"),
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
            "each once",
        ),
        ("apiStage", "a/b", "1 to 32 characters of A-Z, a-z, 0-9 and hyphen"),
        ("apiStage", "test-invoke-stage", "test-invoke-stage is API Gateway's"),
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
        ("dashboardUsers", '["ada@example.org", "Ada@example.org"]', "each once"),
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


def test_a_budget_needs_somebody_to_write_to() -> None:
    assert "alarmEmail: must be set" in complaint(monthlyBudget="30")
    assert parse(monthlyBudget="30", alarmEmail="ops@example.org").monthly_budget == 30


def test_every_setting_says_what_a_change_does_to_a_running_stack() -> None:
    assert set(settings.EFFECTS) == set(settings.PARSERS)


def test_the_page_of_all_settings_is_current() -> None:
    assert generated_docs.PAGE.read_text(encoding="utf-8") == generated_docs.page(), "type `make settings`"


def test_the_required_cli_is_not_newer_than_the_sdk_that_is_installed() -> None:
    """Pulumi releases both under one version."""
    document = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))
    required = document["requiredPulumiVersion"].removeprefix(">=")
    assert tuple(map(int, required.split("."))) <= tuple(map(int, version("pulumi").split(".")))


def test_limiting_networks_needs_one() -> None:
    assert "dashboardCidrs" in complaint(dashboardAccess="cidrs")
    networks = parse(dashboardAccess="cidrs", dashboardCidrs='["2001:DB8::/32"]').dashboard_cidrs
    assert networks == ["2001:db8::/32"]


def test_a_snapshot_is_restored_in_its_own_region() -> None:
    changed = {**DEFAULTS, "databaseSnapshot": "arn:aws:rds:eu-west-1:123456789012:snapshot:rds:cafe"}
    assert settings.parse("dev", changed, "eu-west-1").database_snapshot == changed["databaseSnapshot"]
    with pytest.raises(
        settings.SettingsError, match="databaseSnapshot: must be in the stack's region us-east-1"
    ):
        settings.parse("dev", changed, "us-east-1")
    for name in ("rds:cafe-2026-11-01-05-37", "cafe", ""):
        assert settings.parse("dev", {**DEFAULTS, "databaseSnapshot": name}, "us-east-1")


def test_who_may_see_names_is_to_be_said_where_nothing_is_set() -> None:
    assert (parse().dashboard_access, parse().customer_names) == ("login", "initial")


def test_a_misspelt_setting_is_found() -> None:
    assert "'batchsize': there is no such setting" in complaint(batchsize="5")


@pytest.mark.parametrize("stack", ["Prod", "a" * 17, "1st", "my_stack", "prod-", "my--stack", ""])
def test_a_stacks_name_becomes_part_of_physical_names(stack: str) -> None:
    assert repr(stack) in complaint(stack)


@pytest.mark.parametrize("stack", ["a", "prod", "cafe-1-berlin", "a" * 16])
def test_a_stack_can_have_a_short_plain_name(stack: str) -> None:
    assert parse(stack)


def test_every_wrong_entry_of_a_list_is_named_by_its_place() -> None:
    message = complaint(menu='["Latte=5", "Tea", "Cake=x"]', dashboardUsers='["ada@example.org", "bo"]')
    assert [line.partition(":")[0].strip() for line in message.splitlines()[1:]] == [
        "menu[1]",
        "menu[2]",
        "dashboardUsers[1]",
    ]


def test_settings_that_contradict_each_other_are_named_with_those_that_are_wrong_by_themselves() -> None:
    message = complaint(timeZone="x", batchSize="11", dashboardAccess="cidrs")
    assert [key for key in ("timeZone", "batchWindow", "dashboardCidrs") if f"  {key}: " in message] == [
        "timeZone",
        "batchWindow",
        "dashboardCidrs",
    ]


def test_a_long_wrong_value_is_cut_in_the_message() -> None:
    assert len(complaint(locale="x" * 100_000)) < 300


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
    from infra import archives

    with pytest.raises(RunError, match="mars-north-1"):
        archives.database_certificate("mars-north-1")


def test_the_certificates_are_amazons_roots() -> None:
    from cryptography import x509

    for path in sorted(Path(ROOT / "functions" / "rds_roots").glob("*.pem")):
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        assert f"Amazon RDS {path.stem} Root CA RSA2048 G1" in certificate.subject.rfc4514_string()
        certificate.verify_directly_issued_by(certificate)
