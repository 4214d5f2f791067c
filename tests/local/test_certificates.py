"""Certificates of the local database."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509

from local.database import certificates


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> certificates.Certificates:
    return certificates.create(tmp_path_factory.mktemp("tls"))


def _handshake(server: certificates.Certificates, authority: Path, name: str) -> None:
    """Connect to a TLS server with these certificates, verifying as strictly as Python 3.13."""
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_context.load_cert_chain(server.server, server.server_key)
    client_context = ssl.create_default_context(cafile=authority)
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    client_end, server_end = socket.socketpair()

    def serve() -> None:
        try:
            server_context.wrap_socket(server_end, server_side=True).close()
        except (ssl.SSLError, OSError):
            server_end.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client_end:
            client_context.wrap_socket(client_end, server_hostname=name).close()
    finally:
        thread.join()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_strictly_verifying_client_accepts_the_server(made: certificates.Certificates, name: str) -> None:
    _handshake(made, made.authority, name)


def test_another_name_is_refused(made: certificates.Certificates) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(made, made.authority, "example.com")


def test_the_authority_of_another_run_is_refused(made: certificates.Certificates, tmp_path: Path) -> None:
    other = certificates.create(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(made, other.authority, "localhost")


def test_only_the_owner_can_read_the_key(made: certificates.Certificates) -> None:
    assert made.server_key.stat().st_mode & 0o777 == 0o600


def test_the_authoritys_key_is_not_written(made: certificates.Certificates) -> None:
    files = ["ca.pem", "server-key.pem", "server.pem"]
    assert sorted(path.name for path in made.authority.parent.iterdir()) == files


def test_the_authority_issues_no_further_authorities(made: certificates.Certificates) -> None:
    authority = x509.load_pem_x509_certificate(made.authority.read_bytes())
    constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)


def test_the_server_certificate_is_for_this_machine_now(made: certificates.Certificates) -> None:
    server = x509.load_pem_x509_certificate(made.server.read_bytes())
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.IPv4Address("127.0.0.1")]
    assert server.not_valid_before_utc < datetime.datetime.now(datetime.UTC) < server.not_valid_after_utc
