"""The AWS regions that a stack can be in: those whose RDS root certificate is in `functions/rds_roots`."""

from __future__ import annotations

import pulumi

from infra.archives import FUNCTIONS, Files

CERTIFICATES = FUNCTIONS / "rds_roots"


def database_certificate(region: str) -> Files:
    """Return the root certificate of RDS in a region.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html

    Raises
    ------
    pulumi.RunError
        The region has no certificate in `functions/rds_roots`.
    """
    certificate = CERTIFICATES / f"{region}.pem"
    if not certificate.is_file():
        regions = ", ".join(sorted(path.stem for path in CERTIFICATES.glob("*.pem")))
        raise pulumi.RunError(
            f"Setting aws:region: the RDS root certificate of {region} is missing in functions/rds_roots;"
            f" it has those of {regions}"
        )
    return {"rds-ca.pem": certificate}
