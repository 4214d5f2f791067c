"""A domain of one's own: its settings, and the resources that it adds."""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pulumi_aws as aws
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from infra import cost, prices, recording, settings
from infra.domain import DomainArgs, records
from infra.domain_names import MAX_REQUESTED, domain, zone_problem
from tests.program.conftest import FORKS, Program, Resource, recorded
from tests.program.setting_values import CHANGED, error_message, parse

ZONE, CERTIFICATE = CHANGED["hostedZone"], CHANGED["certificateArn"]
NAME = "cafe.example.com"
IN_ROUTE_53 = {"domain": NAME, "hostedZone": ZONE}
ELSEWHERE = {"domain": NAME, "certificateArn": CERTIFICATE}
TYPES = (
    "acm/certificate:Certificate",
    "acm/certificateValidation:CertificateValidation",
    "route53/record:Record",
)

# Settings


LABELS = st.from_regex(r"\A[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z")


@budget(max_examples=60)
@given(st.text() | st.lists(LABELS | st.text("*_./:@ -é0", max_size=4), max_size=6).map(".".join))
def test_any_text_is_refused_or_a_domain_in_lower_case(text: str) -> None:
    try:
        found = domain(text)
    except ValueError:
        return
    assert found in {text.lower(), text.lower()[:-1]}
    assert domain(found) == found
    labels = found.split(".")
    assert not text or (len(found) <= 253 and len(labels) > 1 and not labels[-1].isdigit())
    assert not text or all(re.fullmatch("(?!-)[a-z0-9-]{1,63}(?<!-)", label) for label in labels)


@given(st.ip_addresses())
def test_an_ip_address_is_refused(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    with pytest.raises(ValueError, match="must be a domain"):
        domain(str(address))


@pytest.mark.parametrize(
    "text",
    [
        "example.com",
        "Cafe.EXAMPLE.com.",
        "xn--caf-dma.example",
        "a.b.c.d.co.uk",
        f"{'a' * 63}.com",
        "1.example.com",
        ".".join(["a" * 63] * 3 + ["a" * 61]),
    ],
)
def test_a_domain_is_accepted_in_any_case_and_with_a_final_dot(text: str) -> None:
    assert parse(domain=text, certificateArn=CERTIFICATE).domain == text.lower().rstrip(".")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("https://cafe.example.com", "without https://"),
        ("cafe.example.com/order", "path"),
        ("cafe.example.com:443", "port"),
        ("*.example.com", "wildcard"),
        ("localhost", "such as cafe.example.com"),
        ("cafe_1.example.com", "such as cafe.example.com"),
        ("cafe.example.com..", "such as cafe.example.com"),
        (".example.com", "such as cafe.example.com"),
        ("-cafe.example.com", "such as cafe.example.com"),
        ("ab--cd.example.com", "such as cafe.example.com"),
        (" cafe.example.com", "such as cafe.example.com"),
        ("cafe.example.com\n", "such as cafe.example.com"),
        (".", "such as cafe.example.com"),
        ("203.0.113.7", "such as cafe.example.com"),
        (f"{'a' * 64}.com", "such as cafe.example.com"),
        (".".join(["a" * 63] * 3 + ["a" * 62]), "such as cafe.example.com"),
        ("café.example", "in ASCII: write a domain with other letters in Punycode"),
        ("d1.CloudFront.net", "of your own"),
        ("cloudfront.net.", "of your own"),
    ],
)
def test_an_invalid_domain_is_refused_with_the_rule(text: str, rule: str) -> None:
    message = error_message(domain=text, certificateArn=CERTIFICATE)
    assert message.splitlines()[1].startswith("  domain: must be ")
    assert rule in message


@pytest.mark.parametrize("text", [ZONE, f"/hostedzone/{ZONE}", f"hostedzone/{ZONE}"])
def test_the_id_of_a_zone_is_accepted_as_route_53_prints_it(text: str) -> None:
    assert parse(domain=NAME, hostedZone=text).hosted_zone == ZONE


@pytest.mark.parametrize("text", ["example.com", "z012", "Z", f"{ZONE} ", "Z" * 33, "/hostedzone/"])
def test_an_invalid_id_of_a_zone_is_refused(text: str) -> None:
    assert "hostedZone: must be the id of a zone in Route 53" in error_message(domain=NAME, hostedZone=text)


@pytest.mark.parametrize(
    "text",
    [
        CERTIFICATE.replace("us-east-1", "eu-central-1"),
        CERTIFICATE.replace(":acm:", ":iam:"),
        CERTIFICATE[:-1],
        CERTIFICATE.upper(),
        CERTIFICATE.rpartition("/")[2],
    ],
)
def test_a_certificate_that_cloudfront_cannot_use_is_refused(text: str) -> None:
    message = error_message(domain=NAME, certificateArn=text)
    assert "certificateArn: must be the ARN of a certificate of ACM in us-east-1" in message


def test_a_domain_alone_is_refused_with_what_to_add() -> None:
    message = error_message(domain=NAME)
    assert "hostedZone: must be set while there is a domain, to the id of its public zone" in message
    assert "set certificateArn to an issued certificate" in message
    assert "domain: must be set while there is a hostedZone" in error_message(hostedZone=ZONE)
    assert "domain: must be set while there is a certificateArn" in error_message(certificateArn=CERTIFICATE)


def test_a_domain_that_acm_refuses_to_certify_needs_a_certificate() -> None:
    longest, too_long = (f"{'a' * length}.example.com" for length in (MAX_REQUESTED - 12, MAX_REQUESTED - 11))
    assert parse(domain=longest, hostedZone=ZONE)
    assert "domain: must have at most 64 characters" in error_message(domain=too_long, hostedZone=ZONE)
    assert parse(domain=too_long, hostedZone=ZONE, certificateArn=CERTIFICATE)


@pytest.mark.parametrize(
    ("zone", "is_private", "problem"),
    [
        ("example.com", False, None),
        (NAME, False, None),
        ("ample.com", False, "must be the zone of cafe.example.com, but this one is of ample.com"),
        ("bar.cafe.example.com", False, "this one is of bar.cafe.example.com"),
        ("example.org", False, "this one is of example.org"),
        ("example.com", True, "must be a public zone, but this one (example.com) is private"),
    ],
)
def test_the_zone_is_public_and_contains_the_domain(zone: str, is_private: bool, problem: str | None) -> None:
    found = zone_problem(NAME, zone, is_private=is_private)
    assert found == problem or (found and problem and problem in found)


# The program

run = functools.cache(recorded)


@pytest.fixture(params=["dev", "prod"])
def in_route_53(request: pytest.FixtureRequest) -> Program:
    """The program with a zone in Route 53: `dev` is public, `prod` has sign-in."""
    return run(request.param, **IN_ROUTE_53)


@pytest.fixture(params=["dev", "prod"])
def elsewhere(request: pytest.FixtureRequest) -> Program:
    """The program with a zone elsewhere."""
    return run(request.param, **ELSEWHERE)


def distribution(program: Program) -> Resource:
    return program.one("cloudfront/distribution:Distribution")


def callbacks(program: Program) -> dict[str, list[str]]:
    clients = program.all("cognito/userPoolClient:UserPoolClient")
    assert all(client.inputs["callbackUrls"] == client.inputs["logoutUrls"] for client in clients)
    return {client.name: client.inputs["callbackUrls"] for client in clients}


def test_without_a_domain_there_are_neither_certificate_nor_records(program: Program) -> None:
    assert not [resource for kind in TYPES for resource in program.all(kind)]
    assert distribution(program).inputs["viewerCertificate"] == {"cloudfrontDefaultCertificate": True}
    assert "aliases" not in distribution(program).inputs
    assert program.outputs["page_url"] == program.outputs["cloudfront_url"]


def test_the_certificate_is_issued_in_us_east_1_before_cloudfront_uses_it(in_route_53: Program) -> None:
    certificate, validation = in_route_53.one(TYPES[0]), in_route_53.one(TYPES[1])
    assert certificate.inputs["region"] == validation.inputs["region"] == "us-east-1"
    assert (certificate.inputs["domainName"], certificate.inputs["validationMethod"]) == (NAME, "DNS")
    proof = in_route_53.one("route53/record:Record", "domain-validation")
    assert {certificate.urn, proof.urn} <= set(validation.depends_on)
    assert validation.urn in distribution(in_route_53).depends_on
    assert distribution(in_route_53).inputs["viewerCertificate"] == {
        "acmCertificateArn": "arn:Certificate.domain",
        "minimumProtocolVersion": "TLSv1.2_2021",
        "sslSupportMethod": "sni-only",
    }
    assert distribution(in_route_53).inputs["aliases"] == [NAME]


def test_a_validation_record_may_serve_other_certificates_of_the_domain(in_route_53: Program) -> None:
    proof = in_route_53.one("route53/record:Record", "domain-validation")
    assert proof.retained
    assert proof.inputs == {
        "zoneId": ZONE,
        "name": "_0.",
        "type": "CNAME",
        "records": ["_1."],
        "ttl": 300,
        "allowOverwrite": True,
    }


def test_a_validation_that_never_succeeds_ends_after_half_an_hour(in_route_53: Program) -> None:
    assert in_route_53.one(TYPES[1]).create_timeout == "30m"


def test_alias_records_for_ipv4_and_ipv6_point_to_cloudfront(in_route_53: Program) -> None:
    for kind in ("A", "AAAA"):
        record = in_route_53.one("route53/record:Record", f"domain-{kind}")
        (alias,) = record.inputs.pop("aliases")
        assert alias == {
            "name": "d1.cloudfront.net",
            "zoneId": "Z2FDTNDATAQYW2",
            "evaluateTargetHealth": False,
        }
        # An existing record of another service is not overwritten.
        assert record.inputs == {"zoneId": ZONE, "name": NAME, "type": kind}
        assert distribution(in_route_53).urn in record.depends_on


def test_links_and_invitations_have_the_domain_once_its_records_exist(in_route_53: Program) -> None:
    records = {in_route_53.one("route53/record:Record", f"domain-{kind}").urn for kind in ("A", "AAAA")}
    place_order = in_route_53.one("lambda/function:Function", "PlaceOrder")
    assert place_order.inputs["environment"]["variables"]["PAGE_ORIGIN"] == f"https://{NAME}"
    pool = in_route_53.one("cognito/userPool:UserPool")
    message = pool.inputs["adminCreateUserConfig"]["inviteMessageTemplate"]["emailMessage"]
    assert f'<a href="https://{NAME}/kitchen">' in message
    for resource in (place_order, pool):
        assert records <= set(resource.depends_on)


@pytest.mark.parametrize("form", [IN_ROUTE_53, ELSEWHERE])
@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_both_addresses_work_for_the_page_and_the_sign_in(stack: str, form: dict[str, str]) -> None:
    program = run(stack, **form)
    ours, cloudfront = f"https://{NAME}", "https://d1.cloudfront.net"
    pages = {
        "staff": [f"{ours}/kitchen", f"{cloudfront}/kitchen"],
        "page": [f"{origin}{path}" for origin in (ours, cloudfront) for path in ("/order-status", "/")],
    }
    if stack == "dev":
        del pages["page"]
    assert callbacks(program) == pages
    assert program.outputs["page_url"] == f"{ours}/order-status"
    assert program.outputs["cloudfront_url"] == f"{cloudfront}/order-status"


def test_with_a_zone_elsewhere_nothing_waits_and_the_records_are_an_output(elsewhere: Program) -> None:
    assert not [resource for kind in TYPES for resource in elsewhere.all(kind)]
    assert distribution(elsewhere).inputs["viewerCertificate"]["acmCertificateArn"] == CERTIFICATE
    (record,) = elsewhere.outputs["domain_records"]
    assert record.pop("note").startswith("the apex of a zone cannot have a CNAME")
    assert record == {"name": NAME, "type": "CNAME", "value": "d1.cloudfront.net"}


def test_an_own_certificate_can_be_used_with_records_in_route_53(
    with_settings: Callable[..., Program],
) -> None:
    program = with_settings(**CHANGED)
    assert {record.name for record in program.all("route53/record:Record")} == {"domain-A", "domain-AAAA"}
    assert distribution(program).inputs["viewerCertificate"]["acmCertificateArn"] == CERTIFICATE
    assert program.all(TYPES[0]) == []
    assert "domain_records" not in program.outputs


def test_an_apex_gets_an_alias() -> None:
    (record,) = records("example.com", "d1.cloudfront.net")
    assert record["type"] == "ALIAS"


def test_a_domain_costs_nothing_beyond_its_zone(dev: Program) -> None:
    def price(program: Program) -> float:
        resources = [vars(resource) for resource in program.resources]
        return cost.dollars(cost.bill(resources, cost.Use()).total, prices.read())

    assert price(run("dev", **IN_ROUTE_53)) == price(run("dev", **ELSEWHERE)) == price(dev)


def test_nothing_that_belongs_to_the_domain_prevents_its_removal(in_route_53: Program) -> None:
    ours = [resource for kind in TYPES for resource in in_route_53.all(kind)]
    assert len(ours) == 5
    assert not any(resource.protect for resource in ours)


@pytest.mark.parametrize(
    ("zone", "sentence"),
    [
        (SimpleNamespace(name="example.org", private_zone=False), "must be the zone of cafe.example.com"),
        (SimpleNamespace(name="example.com", private_zone=True), "must be a public zone"),
        (Exception("NoSuchHostedZone"), "must be a zone of this account; Route 53 reports: NoSuchHostedZone"),
    ],
)
def test_a_zone_that_cannot_be_used_stops_the_deploy(
    monkeypatch: pytest.MonkeyPatch, zone: object, sentence: str
) -> None:
    def get_zone(zone_id: str) -> object:
        assert zone_id == ZONE
        if isinstance(zone, Exception):
            raise zone
        return zone

    monkeypatch.setattr(aws.route53, "get_zone", get_zone)
    with pytest.raises(settings.SettingsError, match=rf"  hostedZone: {sentence}.* \(it is {ZONE}\)"):
        DomainArgs.of(parse(**IN_ROUTE_53))


def registered_with_a_wrong_zone() -> list[str]:
    """Run the program with the zone of another domain; call it in a separate process."""
    names, register = [], recording.Recorder.RegisterResource

    def listed(monitor: recording.Recorder, request: Any) -> Any:
        names.append(request.name)
        return register(monitor, request)

    def call(_provider: object, args: Any) -> Any:
        if "getZone" in args.token:
            return {"name": "example.org", "privateZone": False}, []
        return original(recording.MockProvider(), args)

    original = recording.MockProvider.call
    with (
        mock.patch.object(recording.Recorder, "RegisterResource", listed),
        mock.patch.object(recording.MockProvider, "call", call),
        pytest.raises(settings.SettingsError, match=r"this one is of example\.org"),
    ):
        recording.record("dev", IN_ROUTE_53)
    return [name for name in names if not name.startswith(recording.PROJECT)]


def test_a_wrong_zone_stops_the_program_before_its_first_resource() -> None:
    with ProcessPoolExecutor(1, FORKS) as apart:
        assert apart.submit(registered_with_a_wrong_zone).result() == []
