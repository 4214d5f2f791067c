"""The local database's certificates."""

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
    """Connect to a TLS server with these certificates, as strictly as the newest Python does."""
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(server.server, server.server_key)
    calling = ssl.create_default_context(cafile=authority)
    calling.verify_flags |= ssl.VERIFY_X509_STRICT
    here, there = socket.socketpair()

    def serve() -> None:
        try:
            serving.wrap_socket(there, server_side=True).close()
        except (ssl.SSLError, OSError):
            there.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with here:
            calling.wrap_socket(here, server_hostname=name).close()
    finally:
        thread.join()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_client_that_verifies_strictly_accepts_the_server(
    made: certificates.Certificates, name: str
) -> None:
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


def test_the_authority_cannot_be_used_for_anything_else(made: certificates.Certificates) -> None:
    assert sorted(path.name for path in made.authority.parent.iterdir()) == [
        "ca.pem",
        "server-key.pem",
        "server.pem",
    ]
    authority = x509.load_pem_x509_certificate(made.authority.read_bytes())
    constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)


def test_the_server_certificate_is_for_this_machine_now(made: certificates.Certificates) -> None:
    server = x509.load_pem_x509_certificate(made.server.read_bytes())
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.IPv4Address("127.0.0.1")]
    assert server.not_valid_before_utc < datetime.datetime.now(datetime.UTC) < server.not_valid_after_utc
