"""Parsers of the settings of a domain of one's own, and the check of its zone."""

from __future__ import annotations

import re

# RFC 1123: labels of letters, digits and inner hyphens. RFC 5890 reserves `--` as third and fourth character
# for Punycode. No top-level domain is a number, so no IP address matches.
_LABEL = r"(?!(?!xn)..--)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}$)({_LABEL}\.)+(?![0-9]+$){_LABEL}")
# RFC 5280's limit of a certificate's common name, which ACM sets to the requested domain:
# https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html
MAX_REQUESTED = 64
# Route 53's own commands print the id after `/hostedzone/`.
_ZONE = re.compile(r"(/?hostedzone/)?(Z[A-Z0-9]{1,31})")
_CERTIFICATE = re.compile(
    r"arn:aws:acm:us-east-1:[0-9]{12}:certificate/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)


def domain(name: str) -> str:
    """Validate a domain; return it in lower case without a final dot. It may be empty."""
    if not name.isascii():
        raise ValueError(
            "must be in ASCII: write a domain with other letters in Punycode, as xn--caf-dma.example"
        )
    found = name.lower().removesuffix(".")
    if name and not _DOMAIN.fullmatch(found):
        raise ValueError(
            "must be a domain such as cafe.example.com, without https://, port, path and wildcard, or empty"
        )
    if found.endswith((".cloudfront.net", ".amazonaws.com")) or found in {"cloudfront.net", "amazonaws.com"}:
        raise ValueError(
            "must be a domain of your own: the pages always have their address at cloudfront.net"
        )
    return found


def hosted_zone(zone_id: str) -> str:
    """Validate the id of a zone in Route 53; return it without `/hostedzone/`. It may be empty."""
    found = _ZONE.fullmatch(zone_id)
    if zone_id and not found:
        raise ValueError("must be the id of a zone in Route 53, such as Z0123456789ABCDEFGHIJ, or empty")
    return found[2] if found else ""


def certificate(arn: str) -> str:
    """Validate the ARN of a certificate that CloudFront accepts; it may be empty."""
    if arn and not _CERTIFICATE.fullmatch(arn):
        raise ValueError(
            "must be the ARN of a certificate of ACM in us-east-1, where CloudFront requires it, such as "
            "arn:aws:acm:us-east-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef, or empty"
        )
    return arn


def zone_problem(domain: str, zone: str, *, is_private: bool) -> str | None:
    """Return why a zone cannot be that of a domain, None if it can."""
    if is_private:
        return f"must be a public zone, but this one ({zone}) is private, so visitors and ACM cannot see it"
    if f".{domain}".endswith(f".{zone}"):
        return None
    return f"must be the zone of {domain}, but this one is of {zone}"
