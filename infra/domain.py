"""A domain of one's own for the pages: the certificate, and the DNS records.

The pages' address at cloudfront.net stays valid. Reasons: docs/decisions/0027-own-domain.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.domain_names import zone_problem
from infra.settings import Settings, SettingsError

CERTIFICATES = "us-east-1"  # the region of all certificates of CloudFront
TLS = "TLSv1.2_2021"  # without the weaker ciphers of the earlier policies
VALIDATION_TIMEOUT = "30m"  # ACM takes minutes, unless the domain is not delegated to this zone
TTL = 300  # seconds
APEX = "the apex of a zone cannot have a CNAME: use your provider's ALIAS or ANAME there"


@dataclass(frozen=True, kw_only=True)
class DomainArgs:
    """Inputs of Domain."""

    name: str  # such as cafe.example.com
    hosted_zone: str  # id of its public zone in Route 53; empty if the zone is elsewhere
    certificate_arn: str  # of an issued certificate; empty to create one

    @classmethod
    def of(cls, settings: Settings) -> DomainArgs | None:
        """Read the inputs from the settings, and look the zone up; None without a domain.

        Raises
        ------
        SettingsError
            The zone does not exist, is private, or does not contain the domain.
        """
        if not settings.domain:
            return None
        if settings.hosted_zone:
            _check_zone(settings.domain, settings.hosted_zone)
        return cls(
            name=settings.domain,
            hosted_zone=settings.hosted_zone,
            certificate_arn=settings.certificate_arn,
        )


class Domain(pulumi.ComponentResource):
    """The certificate, validated by DNS, and the records that point to the distribution (`point_to`)."""

    name: str
    viewer_certificate: aws.cloudfront.DistributionViewerCertificateArgsDict
    records: pulumi.Output[list[dict[str, str]]] | None = None
    """The records to create, if the zone is elsewhere."""

    def __init__(self, name: str, args: DomainArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cafe:orders:Domain", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self._zone = args.hosted_zone
        self.name = args.name
        self.viewer_certificate = {
            "acm_certificate_arn": args.certificate_arn or self._certificate(),
            "minimum_protocol_version": TLS,
            "ssl_support_method": "sni-only",
        }
        self.register_outputs({})

    def point_to(self, distribution: aws.cloudfront.Distribution) -> pulumi.Output[str]:
        """Create the records, or export them; return the origin, which depends on them."""
        if not self._zone:
            self.records = distribution.domain_name.apply(lambda target: records(self.name, target))
            return distribution.domain_name.apply(lambda _: f"https://{self.name}")
        names = [
            aws.route53.Record(
                f"domain-{kind}",
                zone_id=self._zone,
                name=self.name,
                type=kind,
                aliases=[
                    {
                        "name": distribution.domain_name,
                        "zone_id": distribution.hosted_zone_id,
                        "evaluate_target_health": False,
                    }
                ],
                opts=self._child,
            ).name
            for kind in ("A", "AAAA")
        ]
        return pulumi.Output.all(*names).apply(lambda _: f"https://{self.name}")

    def _certificate(self) -> pulumi.Output[str]:
        """Create a certificate; return its ARN once it is issued."""
        certificate = aws.acm.Certificate(
            "domain",
            domain_name=self.name,
            validation_method="DNS",
            region=CERTIFICATES,
            opts=self._child,
        )
        proof = certificate.domain_validation_options[0]
        record = aws.route53.Record(
            "domain-validation",
            zone_id=self._zone,
            name=proof.resource_record_name,
            type=proof.resource_record_type,
            records=[proof.resource_record_value],
            ttl=TTL,
            # All certificates of an account for a domain share this record, and are renewed by it: another
            # one may have created it, and may still need it.
            allow_overwrite=True,
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )
        return aws.acm.CertificateValidation(
            "domain",
            certificate_arn=certificate.arn,
            validation_record_fqdns=[record.fqdn],
            region=CERTIFICATES,
            opts=pulumi.ResourceOptions(
                parent=self, custom_timeouts=pulumi.CustomTimeouts(create=VALIDATION_TIMEOUT)
            ),
        ).certificate_arn


def records(name: str, target: str) -> list[dict[str, str]]:
    """Return the records to create in a zone elsewhere, for IPv4 and IPv6."""
    # A domain of two labels is the apex of its zone; a longer one may be.
    kind = "CNAME" if name.count(".") > 1 else "ALIAS"
    return [{"name": name, "type": kind, "value": target, "note": APEX}]


def _check_zone(domain: str, zone_id: str) -> None:
    try:
        zone = aws.route53.get_zone(zone_id=zone_id)
    except Exception as error:  # noqa: BLE001  # Pulumi raises no narrower type.
        problem: str | None = f"must be a zone of this account; Route 53 reports: {error}"
    else:
        # Mocks may return a zone without its name.
        name = (zone.name or domain).lower().removesuffix(".")
        problem = zone_problem(domain, name, is_private=bool(zone.private_zone))
    if problem:
        raise SettingsError(f"These settings are invalid:\n  hostedZone: {problem} (it is {zone_id})")
