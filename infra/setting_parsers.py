"""Parsers of settings, with AWS's limits.

Each converts a text to a value, or raises ValueError with a message such as `must be true or false`.
"""

from __future__ import annotations

import ipaddress
import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from infra import languages
from orders.names import parse_name

T = TypeVar("T")

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
_DAYS = "1 3 5 7 14 30 60 90 120 150 180 365 400 545 731 1096 1827 2192 2557 2922 3288 3653"
LOG_RETENTION_DAYS = tuple(map(int, _DAYS.split()))
# Sizes by families, for MySQL 8.4. Those of a region are listed by
# `aws rds describe-orderable-db-instance-options --engine mysql --engine-version 8.4 ...`, and all by
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.Support.html
_LARGE = "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"
_INSTANCE_CLASSES = {
    "t3 t4g": "micro small medium large xlarge 2xlarge",
    "m6g m6gd m7g r6g r6gd r7g x2g": _LARGE,
    "m5 m5d r5 r5b r5d": f"{_LARGE} 24xlarge",
    "m6i m6id m6idn m6in r6i r6id r6idn r6in": f"{_LARGE} 24xlarge 32xlarge",
    "m7i m8a m8g m8gd m9g r7i r8a r8g r8gd": f"{_LARGE} 24xlarge 48xlarge",
    "x2iedn": "xlarge 2xlarge 4xlarge 8xlarge 16xlarge 24xlarge 32xlarge",
}
INSTANCE_CLASSES = frozenset(
    f"db.{family}.{size}"
    for families, sizes in _INSTANCE_CLASSES.items()
    for family in families.split()
    for size in sizes.split()
)
# https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
PRIVATE_IPV4 = [ipaddress.IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
PRIVATE: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = [
    *PRIVATE_IPV4,
    *(ipaddress.IPv6Network(block) for block in ("fc00::/7", "fe80::/10")),
]
EVERY_IPV4, EVERY_IPV6 = ipaddress.IPv4Network("0.0.0.0/0"), ipaddress.IPv6Network("::/0")
IPV4_AS_IPV6 = ipaddress.IPv6Network("::ffff:0:0/96")
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
_SENDER = re.compile(r"arn:aws:iam::[0-9]{12}:(role|user)/([A-Za-z0-9_+=,.@-]+/)*[A-Za-z0-9_+=,.@-]{1,64}")
MAX_IAM_PATH = 512
# A queue's policy may have 8192 bytes and 50 principals; its other statements need a quarter of the bytes.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html
MAX_SENDERS = 20
MAX_SENDERS_TEXT = 6000
# RFC 5321 without quoted strings and address literals, which SNS and Cognito refuse
_EMAIL = re.compile(
    r"(?=.{1,64}@)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+([A-Za-z]{2,63}|xn--[A-Za-z0-9-]{1,59})"
)
# Characters of a user name in Cognito: https://docs.aws.amazon.com/cognito/latest/developerguide/limits.html
MAX_EMAIL = 128
# Daily limit of e-mails that Cognito sends without SES (the same page), so that one deploy can invite all
MAX_USERS = 50
# Networks are part of the code of a CloudFront function, which is limited to 10 kB.
MAX_NETWORKS = 50
# The name of a manual snapshot, of an automated backup or of AWS Backup, or the ARN of a shared snapshot
_SNAPSHOT = re.compile(
    r"(arn:aws:rds:[a-z0-9-]{1,32}:[0-9]{12}:snapshot:)?(rds:|awsbackup:)?(?=.{1,255}$)[A-Za-z](-?[A-Za-z0-9])*"
)
# https://docs.aws.amazon.com/apigateway/latest/api/API_CreateStage.html
_STAGE = re.compile(r"[A-Za-z0-9-]{1,32}")
RESERVED_STAGE = "test-invoke-stage"  # of the console's test button
MAX_ITEMS = 100
MAX_PRICE = 1_000_000
_PRICE = re.compile(r"[0-9]{1,7}(\.[0-9]{1,3})?")
DIRECTION_CONTROLS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
_POLICY = re.compile(r"arn:aws:iam::[0-9]{12}:policy/([A-Za-z0-9_+=,.@-]+/)*[A-Za-z0-9_+=,.@-]{1,128}")


class EntriesError(ValueError):
    """Some entries of a list are invalid: their indexes, the violated rules, and their values."""

    def __init__(self, wrong: list[tuple[int, str, object]]) -> None:
        super().__init__("must be a list of valid entries")
        self.wrong = wrong


@dataclass(frozen=True, slots=True)
class Integer:
    """Parses an integer within limits."""

    minimum: int
    maximum: int

    def __call__(self, text: str) -> int:
        """Return the integer."""
        if not re.fullmatch("[0-9]{1,9}", text) or not self.minimum <= int(text) <= self.maximum:
            raise ValueError(
                f"must be a whole number from {self.minimum} to {self.maximum}, in the digits 0 to 9"
            )
        return int(text)


def one_of(*choices: T) -> Callable[[str], T]:
    """Return a parser that accepts only these values."""
    by_text = {str(choice): choice for choice in choices}

    def parse(text: str) -> T:
        if text not in by_text:
            *others, last = by_text
            raise ValueError(f"must be {', '.join(others)} or {last}")
        return by_text[text]

    return parse


def boolean(text: str) -> bool:
    """Parse `true` or `false`."""
    return one_of("true", "false")(text) == "true"


def entries(text: str, parse: Callable[[object], T], maximum: int, example: str) -> list[T]:
    """Parse each entry of a list, which Pulumi passes as JSON."""
    try:
        decoded = json.loads(text)
    except (ValueError, RecursionError):
        decoded = None
    if not isinstance(decoded, list) or len(decoded) > maximum:
        raise ValueError(f"must be a list of up to {maximum}, such as {example}")
    values, wrong = [], []
    for index, entry in enumerate(decoded):
        try:
            values.append(parse(entry))
        except ValueError as error:
            wrong.append((index, str(error), entry))
    if wrong:
        raise EntriesError(wrong)
    return values


def unique(found: list[str]) -> list[str]:
    """Refuse a list that has an entry twice."""
    duplicate = next((entry for index, entry in enumerate(found) if entry in found[:index]), None)
    if duplicate is not None:
        raise ValueError(f"must list each entry once, and lists {duplicate!r} twice")
    return found


# The cafe


def time_zone(name: str) -> str:
    """Validate a time zone."""
    if name not in languages.time_zones():
        raise ValueError("must be an IANA time zone of the package tzdata, such as UTC or Europe/Berlin")
    return name


def locale(tag: str) -> str:
    """Validate a language tag."""
    if not languages.is_locale(tag):
        raise ValueError("must be a language tag (BCP 47) that browsers accept, such as en-US or de-DE")
    return tag


def menu(text: str) -> dict[str, Decimal]:
    """Parse `["Latte=5", "Tea=2"]`, or `Latte=5, Tea=2` from a command line, to prices by item."""
    if "=" in text and not text.lstrip().startswith(("[", "{")):
        text = json.dumps(text.split(","))
    found = entries(text, _menu_entry, MAX_ITEMS, '["Coffee=3", "Latte=5"] or Coffee=3, Latte=5')
    # Names in different normal forms look the same.
    unique([unicodedata.normalize("NFC", item) for item, _ in found])
    return dict(found)


def _menu_entry(entry: object) -> tuple[str, Decimal]:
    if not isinstance(entry, str) or "=" not in entry:
        raise ValueError("must be ITEM=PRICE, such as Latte=5")
    text, _, price = (part.strip() for part in entry.rpartition("="))
    try:
        item = parse_name(text)
    except ValueError as error:
        raise ValueError(f"must be ITEM=PRICE, such as Latte=5; its item {error}") from None
    if any(_is_unprintable(character) for character in item):
        raise ValueError(
            "must name an item without control characters and marks that change the direction of text"
        )
    if not _PRICE.fullmatch(price) or Decimal(price) > MAX_PRICE:
        raise ValueError(
            f"must have a price from 0 to {MAX_PRICE} with at most 3 decimals, such as 5 or 4.50"
        )
    return item, Decimal(price)


def _is_unprintable(character: str) -> bool:
    category = unicodedata.category(character)
    return category in {"Cc", "Zl", "Zp"} or unicodedata.bidirectional(character) in DIRECTION_CONTROLS


# Access


def viewer_networks(text: str) -> list[str]:
    """Validate public networks; return them in canonical form."""
    found = entries(text, _viewer_network, MAX_NETWORKS, '["203.0.113.0/24", "2001:db8::/32"]')
    four = [network for network in found if isinstance(network, ipaddress.IPv4Network)]
    six = [network for network in found if isinstance(network, ipaddress.IPv6Network)]
    if EVERY_IPV4 in ipaddress.collapse_addresses(four) or EVERY_IPV6 in ipaddress.collapse_addresses(six):
        raise ValueError("must not cover every address: for that, set dashboardAccess to public")
    return list(map(str, found))


def _viewer_network(entry: object) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        network = ipaddress.ip_network(entry if isinstance(entry, str) and "%" not in entry else "")
    except ValueError:
        raise ValueError("must be an IPv4 or IPv6 network such as 203.0.113.0/24 or 2001:db8::/32") from None
    if network.prefixlen and network.overlaps(IPV4_AS_IPV6):
        raise ValueError("must be an IPv4 network in IPv4's own notation, such as 203.0.113.0/24")
    if any(network.overlaps(private) and network.prefixlen >= private.prefixlen for private in PRIVATE):
        raise ValueError("must be a public network: CloudFront sees viewers by their public addresses")
    return network


def users(text: str) -> list[str]:
    """Validate e-mail addresses; return them in lower case, as the user pool compares them."""
    return unique(entries(text, _user, MAX_USERS, '["ada@example.com"]'))


def _user(entry: object) -> str:
    if not isinstance(entry, str) or not entry:
        raise ValueError("must be an e-mail address such as ada@example.com")
    return email(entry).lower()


def email(address: str) -> str:
    """Validate an e-mail address; it may be empty."""
    if address and (len(address) > MAX_EMAIL or not _EMAIL.fullmatch(address)):
        raise ValueError(
            f"must be an e-mail address such as ada@example.com, of at most {MAX_EMAIL} characters"
        )
    return address


# The pipeline


def senders(text: str) -> list[str]:
    """Validate ARNs of roles and users."""
    example = "arn:aws:iam::123456789012:role/shop"
    found = unique(entries(text, _sender, MAX_SENDERS, f'["{example}"]'))
    if sum(map(len, found)) > MAX_SENDERS_TEXT:
        raise ValueError(
            f"must have at most {MAX_SENDERS_TEXT} characters together: a queue's policy is limited"
        )
    return found


def _sender(entry: object) -> str:
    path = entry.partition("/")[2].rpartition("/")[0] if isinstance(entry, str) else ""
    if not isinstance(entry, str) or not _SENDER.fullmatch(entry) or len(path) > MAX_IAM_PATH - 2:
        raise ValueError(
            "must be the ARN of an IAM role or user, such as arn:aws:iam::123456789012:role/shop"
        )
    return entry


# The API and the database


def stage(name: str) -> str:
    """Validate the name of a stage of an API."""
    if not _STAGE.fullmatch(name) or name == RESERVED_STAGE:
        raise ValueError(
            f"must have 1 to 32 characters of A-Z, a-z, 0-9 and hyphen; {RESERVED_STAGE} is reserved"
        )
    return name


def instance_class(name: str) -> str:
    """Validate a class of RDS instances."""
    if name not in INSTANCE_CLASSES:
        raise ValueError(
            "must be an instance class of RDS for MySQL 8.4, such as db.t4g.micro or db.m7g.large"
        )
    return name


def snapshot(name: str) -> str:
    """Validate the name or ARN of a snapshot; it may be empty."""
    if name and not _SNAPSHOT.fullmatch(name):
        raise ValueError(
            "must be the name of an RDS snapshot such as cafe-2026-11-01, the ARN of a shared one"
            " such as arn:aws:rds:us-east-1:123456789012:snapshot:cafe, or empty"
        )
    return name


def network(cidr: str) -> str:
    """Validate the network of a VPC; return it in canonical form."""
    try:
        block = ipaddress.IPv4Network(cidr)
    except ValueError:
        block = EVERY_IPV4
    if not any(block.subnet_of(private) for private in PRIVATE_IPV4) or not 16 <= block.prefixlen <= 24:
        raise ValueError(
            "must be a private IPv4 network from /16 to /24, such as 10.40.0.0/16:"
            " a part of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16"
        )
    return str(block)


# Protection


def policy(arn: str) -> str:
    """Validate the ARN of an IAM policy; it may be empty."""
    path = arn.partition("/")[2].rpartition("/")[0]
    if arn and (not _POLICY.fullmatch(arn) or len(path) > MAX_IAM_PATH - 2):
        raise ValueError(
            "must be the ARN of an IAM policy such as arn:aws:iam::123456789012:policy/limit, or empty"
        )
    return arn
