"""Certificates of a private CA, with which clients verify the database server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """Paths of the PEM files."""

    authority: Path
    server: Path
    server_key: Path


def create(directory: Path) -> Certificates:
    """Write a new CA's certificate, and a server certificate for 127.0.0.1 and localhost.

    The CA's private key is never written, so that nothing else can be signed with it.
    """
    authority = trustme.CA(path_length=0, organization_name="cafe-orders local database")
    server = authority.issue_cert("127.0.0.1", "localhost")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    paths = Certificates(
        authority=directory / "ca.pem",
        server=directory / "server.pem",
        server_key=directory / "server-key.pem",
    )
    authority.cert_pem.write_to_path(paths.authority)
    server.cert_chain_pems[0].write_to_path(paths.server)
    paths.server_key.touch(mode=0o600)
    server.private_key_pem.write_to_path(paths.server_key)
    return paths
