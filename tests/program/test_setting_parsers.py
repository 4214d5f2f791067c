"""Any text for any setting is either refused with an error message, or within the limits of AWS."""

from __future__ import annotations

import importlib.resources
import ipaddress
import json
import random
import re
import zoneinfo
from collections.abc import Callable, Mapping
from decimal import Decimal
from email.headerregistry import Address
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import botocore.loaders
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from infra import archives, languages, setting_parsers, settings
from orders.order import OrderFields
from stores.dynamodb.projection import Projection
from tests.dynamodb import NAMES
from tests.program.conftest import NETWORKS, Program
from tests.program.setting_values import CHANGED, error_message, parse

# Terms of regular expressions, Python and pydantic, which no error message may contain
JARGON = re.compile(r"pattern|regex|\^|\$|\\d|\[[A-Za-z]-|Traceback|Error|NoneType|Input should|object at 0x")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NUMBERS = [
    "1.5",
    "１２",
    "0x10",
    "1e3",
    "1_000",
    " 10",
    "10 ",
    "+10",
    "-0",
    "0",
    "007",
    "NaN",
    "inf",
    "²",
    "9" * 5000,
]
VALID: Mapping[str, list[str]] = {
    "timeZone": ["UTC", "Europe/Berlin", "America/Argentina/ComodRivadavia", "Etc/GMT+12", "Factory"],
    "menu": [
        "[]",
        '["Latte=5"]',
        '["Café crème ☕=4.50", "a=b=0"]',
        '["👩\\u200d🚀=1000000.000", "עדה\\u200f=0.001"]',
    ],
    "dashboardAccess": ["public", "login"],
    "dashboardCidrs": ["[]", '["203.0.113.7"]', '["2001:db8::/32", "198.51.100.0/255.255.255.0"]'],
    "dashboardUsers": ["[]", '["Ada@example.org", "o\'brien+cafe@sub.example-1.co.uk"]'],
    "customerNames": ["full", "initial", "none"],
    "locale": [
        "en",
        "de-DE",
        "sr-Latn-RS-ekavsk",
        "ar-EG-u-nu-latn-ca-gregory",
        "en-GB-x-cafe",
        "de-t-en-us-m0-true",
    ],
    "queueSenders": [
        "[]",
        '["arn:aws:iam::123456789012:role/shop", "arn:aws:iam::000000000000:user/a/b/c@d"]',
    ],
    "pythonRuntime": ["python3.11", "python3.14"],
    "logRetentionDays": ["1", "3653"],
    "alarmEmail": ["", "ops@example.com"],
    "alarmTopics": [
        "[]",
        '["arn:aws:sns:us-east-1:123456789012:pager", "arn:aws:sns:us-east-1:000000000000:chat_1-a"]',
    ],
    "runbookUrl": ["", "https://git.example.com/cafe/blob/main/docs/runbook.md"],
    "apiStage": ["prod", "-", "a" * 32, "order-status"],
    "domain": [CHANGED["domain"], "XN--caf-dma.example."],
    "hostedZone": [CHANGED["hostedZone"], "/hostedzone/Z1"],
    "certificateArn": [CHANGED["certificateArn"]],
    "databaseInstanceClass": ["db.t4g.micro", "db.r8g.48xlarge"],
    "databaseSnapshot": ["", "cafe-2026-11-01", "rds:cafe-2026-11-01-05-37", "awsbackup:job-0a1b2c3d"],
    "networkCidr": ["10.40.0.0/16", "192.168.7.0/24", "172.31.0.0/255.255.0.0"],
    "permissionsBoundary": [
        "",
        "arn:aws:iam::123456789012:policy/limit",
        "arn:aws:iam::000000000000:policy/a/b",
    ],
}

# Settings that a setting needs
COMPANIONS: Mapping[str, Mapping[str, str]] = {
    "domain": {"certificateArn": CHANGED["certificateArn"]},
    "hostedZone": {"domain": CHANGED["domain"]},
    "certificateArn": {"domain": CHANGED["domain"], "hostedZone": CHANGED["hostedZone"]},
}


@cache
def texts(key: str) -> st.SearchStrategy[str]:
    """Return texts for a setting: arbitrary text and JSON, numbers in any notation, modified valid values."""
    parser = settings.PARSERS[key]
    valid = list(VALID.get(key, ["true", "false"]))
    if isinstance(parser, setting_parsers.Integer):
        valid = [str(number + by) for number in (parser.minimum, parser.maximum) for by in (-1, 0, 1)]
    some = st.text(st.characters(), max_size=40) | st.text("\ud800\u200b\u2800\x00\u202e=1.-/:@", max_size=8)
    pieces = [piece for text in valid for piece in re.split(r"(\W)", text) if piece]
    mixed = st.lists(st.sampled_from(pieces) | some, max_size=12).map("".join)
    numbers = st.sampled_from(NUMBERS) | st.integers().map(str) | st.floats().map(str)
    entries = st.lists(some | mixed | st.sampled_from(valid) | JSON, max_size=5).map(json.dumps)
    return st.sampled_from(valid) | some | mixed | numbers | JSON.map(json.dumps) | entries


@cache
def service(name: str) -> dict[str, Any]:
    """Return the shapes of an AWS service's API, from botocore."""
    shapes: dict[str, Any] = botocore.loaders.Loader().load_service_model(name, "service-2")["shapes"]
    return shapes


LAMBDA, IAM, COGNITO = service("lambda"), service("iam"), service("cognito-idp")
SQS_POLICY, CLOUDFRONT_FUNCTION = 8192, 10 * 1024  # bytes
# RDS for MySQL: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
STORAGE, BACKUP_DAYS = (20, 65_536), (1, 35)
# Of an account: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
THROTTLING = (10_000, 5_000)


def within(shape: str) -> Callable[[int], bool]:
    return lambda number: LAMBDA[shape]["min"] <= number <= LAMBDA[shape]["max"]


def is_menu(menu: Mapping[str, Decimal]) -> bool:
    return len(menu) <= 100 and all(
        OrderFields.of({"item": item, "quantity": 1}).item == item
        # The page adds prices as binary numbers, and shows three decimals.
        and Decimal(str(float(price))) == price == round(price, 3)
        and 0 <= price <= 1_000_000
        for item, price in menu.items()
    )


def is_email(address: str) -> bool:
    local, _, domain = address.rpartition("@")
    return str(Address(username=local, domain=domain)) == address and "." in domain and address.isascii()


def is_policy(arn: str) -> bool:
    path, _, name = arn.partition("/")[2].rpartition("/")
    shape = IAM["policyNameType"]
    return (
        len(path) + 2 <= IAM["policyPathType"].get("max", 512)
        and re.fullmatch(shape["pattern"], name, re.ASCII) is not None
        and IAM["arnType"]["min"] <= len(arn) <= IAM["arnType"]["max"]
    )


def is_sender(arn: str) -> bool:
    kind, _, name = arn.split(":", 5)[5].partition("/")
    path, _, name = name.rpartition("/")
    shape = IAM["roleNameType" if kind == "role" else "userNameType"]
    return (
        len(arn) <= IAM["arnType"]["max"]
        and len(path) + 2 <= IAM["pathType"]["max"]
        and re.fullmatch(shape["pattern"], name, re.ASCII) is not None
        and len(name) <= shape["max"]
        and "*" not in arn
    )


BOOLEANS = [key for key, parser in settings.PARSERS.items() if parser is setting_parsers.boolean]
IS_VALID: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(BOOLEANS, {True, False}.__contains__),
    "timeZone": lambda name: (
        (importlib.resources.files("tzdata") / "zoneinfo" / name).is_file()
        and zoneinfo.ZoneInfo(name).key == name
    ),
    "menu": is_menu,
    "dashboardAccess": {"public", "cidrs", "login"}.__contains__,
    "dashboardCidrs": lambda cidrs: (
        len(cidrs) <= 50 and all(ipaddress.ip_network(cidr).prefixlen for cidr in cidrs)
    ),
    "dashboardUsers": lambda users: (
        len(users) <= 50
        and all(
            is_email(user) and user.islower() and len(user) <= COGNITO["UsernameType"]["max"]
            for user in users
        )
    ),
    "customerNames": {"full", "initial", "none"}.__contains__,
    # tests/browser/test_settings.py tries tags in Chromium.
    "locale": lambda tag: re.fullmatch("[A-Za-z0-9-]{2,80}", tag) is not None,
    "batchSize": within("BatchSize"),
    "batchWindow": within("MaximumBatchingWindowInSeconds"),
    "workerConcurrency": within("MaximumConcurrency"),
    "workerTimeout": lambda seconds: 15 <= seconds <= 900,
    "queueSenders": lambda arns: (
        len(json.dumps(arns)) < SQS_POLICY * 3 / 4 + 100 and all(map(is_sender, arns))
    ),
    "pythonRuntime": LAMBDA["Runtime"]["enum"].__contains__,
    "memorySize": lambda megabytes: within("MemorySize")(megabytes) and megabytes <= 10_240,
    "logRetentionDays": lambda days: str(days) in service("logs")["Days"]["documentation"],
    "alarmEmail": lambda address: not address or is_email(address),
    "alarmTopics": lambda arns: (
        len(arns) <= 4
        and all(re.fullmatch(r"arn:aws:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}", arn, re.ASCII) for arn in arns)
    ),
    "recordedWithin": range(3_601).__contains__,
    "runbookUrl": lambda url: not url or (urlsplit(url).scheme == "https" and not urlsplit(url).fragment),
    "monthlyBudget": lambda dollars: 0 <= dollars <= 1_000_000,
    "apiStage": lambda name: re.fullmatch(r"[A-Za-z0-9_-]{1,128}", name) is not None,
    "apiRateLimit": lambda number: 1 <= number <= THROTTLING[0],
    "apiBurstLimit": lambda number: 1 <= number <= THROTTLING[1],
    "domain": lambda name: not name or re.fullmatch(r"([a-z0-9-]{1,63}\.)+[a-z0-9-]{2,63}", name) is not None,
    "hostedZone": lambda zone: not zone or re.fullmatch("Z[A-Z0-9]{1,31}", zone) is not None,
    "certificateArn": lambda arn: not arn or arn.startswith("arn:aws:acm:us-east-1:"),
    "databaseInstanceClass": lambda name: (
        name.split(".")[1] not in {"t1", "t2", "m3", "m4", "r3", "r4", "c6gd"}
    ),
    "databaseStorage": lambda gigabytes: STORAGE[0] <= gigabytes <= STORAGE[1],
    "databaseBackupDays": lambda days: BACKUP_DAYS[0] <= days <= BACKUP_DAYS[1],
    "databaseSnapshot": lambda name: (
        "--" not in name and not name.endswith("-") and name.isascii() and " " not in name
    ),
    "ordersBackupDays": range(7, 3651).__contains__,
    "retentionDays": range(3651).__contains__,
    "networkCidr": lambda cidr: (
        16 <= ipaddress.IPv4Network(cidr).prefixlen <= 24 and ipaddress.IPv4Network(cidr).is_private
    ),
    "openHours": range(1, 25).__contains__,
    "warnMinutes": range(1, 121).__contains__,
    "overdueMinutes": range(2, 241).__contains__,
    "waitingAlarmMinutes": range(241).__contains__,
    "trackingKey": range(1, 10_000).__contains__,
    "permissionsBoundary": lambda arn: not arn or is_policy(arn),
}


def kinds() -> list[list[str]]:
    """Return the settings, grouped by parser."""
    found: dict[object, list[str]] = {}
    for key, parser in settings.PARSERS.items():
        found.setdefault(
            setting_parsers.Integer if isinstance(parser, setting_parsers.Integer) else parser, []
        ).append(key)
    return list(found.values())


def test_every_setting_has_a_check() -> None:
    assert set(IS_VALID) == set(settings.PARSERS)


@pytest.mark.parametrize("keys", kinds(), ids="-".join)
@budget(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_text_is_refused_with_an_error_message_or_within_the_limits(
    keys: list[str], data: st.DataObject
) -> None:
    key = data.draw(st.sampled_from(keys))
    text = data.draw(texts(key))
    try:
        parsed = parse(**{**COMPANIONS.get(key, {}), key: text})
    except settings.SettingsError as error:
        lines = str(error).splitlines()[1:]
        names = {
            "batchSize": "batchWindow",
            "batchWindow": "recordedWithin",
            "dashboardAccess": "(customerNames|dashboardCidrs)",
            "warnMinutes": "overdueMinutes",
            "monthlyBudget": "alarmEmail",
        }
        assert lines
        for line in lines:
            sentence, _, value = line.partition(", not ")
            assert re.match(rf"  ({key}|{names.get(key, key)})(\[\d+\])?: must ", line), line
            assert not JARGON.search(sentence), line
            assert len(value) <= settings.MAX_VALUE + 1
            assert line.encode()
            assert line.isprintable()
    else:
        assert IS_VALID[key](getattr(parsed, settings.FIELDS[key])), text


@pytest.mark.parametrize(("key", "text"), [(key, text) for key, texts in VALID.items() for text in texts])
def test_a_valid_value_is_accepted(key: str, text: str) -> None:
    assert IS_VALID[key](getattr(parse(**{**COMPANIONS.get(key, {}), key: text}), settings.FIELDS[key]))


@pytest.mark.parametrize(
    "key", [key for key, parser in settings.PARSERS.items() if isinstance(parser, setting_parsers.Integer)]
)
def test_an_integer_is_accepted_at_its_limits_and_refused_one_beyond(key: str) -> None:
    limits = settings.PARSERS[key]
    assert isinstance(limits, setting_parsers.Integer)
    others = {
        "batchSize": {"batchWindow": "1"},
        "batchWindow": {"recordedWithin": "3600"},
        "monthlyBudget": {"alarmEmail": "ops@example.org"},
        "warnMinutes": {"overdueMinutes": "240"},
        "overdueMinutes": {"warnMinutes": "1"},
    }
    for number in (limits.minimum, limits.maximum):
        assert getattr(parse(**{**others.get(key, {}), key: str(number)}), settings.FIELDS[key]) == number
    for number in (limits.minimum - 1, limits.maximum + 1):
        assert f"{key}: must be a whole number from {limits.minimum} to {limits.maximum}" in error_message(
            **{key: str(number)}
        )


@given(
    st.dictionaries(
        st.sampled_from(sorted(settings.PARSERS)), st.text(max_size=5).map("\x00{}".format), min_size=1
    )
)
def test_all_invalid_settings_are_in_one_message(invalid: dict[str, str]) -> None:
    message = error_message(**invalid)
    assert {re.split(r"[:\[]", line)[0].strip() for line in message.splitlines()[1:]} == set(invalid)


def test_archives_can_have_every_valid_time_zone() -> None:
    for name in languages.time_zones():
        assert all(path.is_file() for path in archives.time_zone(name).values()), name


def test_a_menu_at_its_limits_fits_into_the_table(projection: Projection, dynamodb: Any) -> None:
    items = [f"{chr(0x1F300 + number)}" * 100 for number in range(100)]
    projection.set_up(parse(menu=json.dumps([f"{item}=999999.999" for item in items])).menu)
    found = dynamodb.scan(TableName=NAMES.menu)["Items"]
    assert {item["item"]["S"]: item["price"]["N"] for item in found} == dict.fromkeys(items, "999999.999")


# Each setting at its maximum length
LONGEST = {
    "menu": json.dumps([f"{chr(0x1F300 + number)}" * 100 + "=999999.999" for number in range(100)]),
    "dashboardAccess": "cidrs",
    "dashboardCidrs": json.dumps(NETWORKS),
    "dashboardUsers": json.dumps([f"{number:063}@{'a' * 60}.org" for number in range(50)]),
    "queueSenders": json.dumps(
        [f"arn:aws:iam::123456789012:role/{'p' * 190}/{number:064}" for number in range(20)]
    ),
    "timeZone": "America/Argentina/ComodRivadavia",
    "locale": "de-" + "-".join(f"a{number:04}" for number in range(12)),
    "apiStage": "s" * 32,
    "alarmEmail": f"{'a' * 64}@{'b' * 59}.org",
    "alarmTopics": json.dumps([f"arn:aws:sns:us-east-1:123456789012:{n}{'t' * 255}" for n in range(4)]),
    "recordedWithin": "3600",
    "runbookUrl": "https://git.example.org/" + "p" * 276,
    "batchSize": "10000",
    "batchWindow": "300",
    "workerConcurrency": "1000",
    "workerTimeout": "900",
    "databaseSnapshot": "arn:aws:rds:us-east-1:123456789012:snapshot:" + "s" * 255,
    "networkCidr": "10.40.0.0/24",
}


def test_the_longest_settings_make_a_program_within_the_limits(with_settings: Callable[..., Program]) -> None:
    program = with_settings(**LONGEST)
    assert len(program.one("sqs/queuePolicy:QueuePolicy", "OrderQueue").inputs["policy"]) <= SQS_POLICY
    assert len(program.one("cloudfront/function:Function").inputs["code"].encode()) <= CLOUDFRONT_FUNCTION
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
    assert program.one("sqs/queue:Queue", "OrderQueue").inputs["visibilityTimeoutSeconds"] <= 43_200
    # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    for function in program.all("lambda/function:Function"):
        assert len(json.dumps(function.inputs["environment"])) <= 4096
    assert len(program.one("lambda/invocation:Invocation").inputs["input"].encode()) <= 6_000_000


@pytest.mark.parametrize("number", range(3))
def test_the_program_runs_with_any_valid_settings(with_settings: Callable[..., Program], number: int) -> None:
    choose = random.Random(number)  # noqa: S311
    chosen = {
        key: choose.choice(VALID[key]) for key in VALID if key not in {"dashboardAccess", "customerNames"}
    }
    assert with_settings(**chosen).outputs["page_url"]
