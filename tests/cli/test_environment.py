"""Invalid environment variables: the local stack ignores them, and on AWS they are named."""

from __future__ import annotations

import json
import operator
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from cli import http, stack
from cli.aws import Clients
from cli.errors import SetUpError
from local import clients
from tests.broken_environment import BROKEN
from tests.cli.conftest import Cafe, Pulumi
from tests.cli.stand_in import REGION, FakeApi
from tests.local_stack import LocalStack

BROKEN_CONFIGURATIONS = {
    "no_section": "region = eu-central-1\n[[[",
    "another_endpoint": "[default]\nendpoint_url = http://127.0.0.1:1\nretry_mode = xyz\nmax_attempts = abc",
    "another_role": "[default]\nrole_arn = nonsense\nsource_profile = nobody\n",
    "not_text": "\xff\xfe",
}


# Separate cases, because one error may hide another.
ALONE = (
    "ALL_PROXY",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SSLKEYLOGFILE",
)


@pytest.fixture(params=[*ALONE, "everything", *BROKEN_CONFIGURATIONS])
def odd(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment with an invalid variable."""
    name = request.param
    if name in BROKEN_CONFIGURATIONS:
        home = tmp_path / "home"
        (home / ".aws" / "models").mkdir(parents=True)
        (home / ".aws" / "models" / "endpoints.json").write_text("{")
        for file in ("config", "credentials"):
            (home / ".aws" / file).write_text(BROKEN_CONFIGURATIONS[name], encoding="latin-1")
        (home / ".netrc").write_text("machine")
        monkeypatch.setenv("HOME", str(home))
        return
    for variable, value in BROKEN.items() if name == "everything" else [(name, BROKEN[name])]:
        monkeypatch.setenv(variable, value)


class Emulator(BaseHTTPRequestHandler):
    """Responds like SQS without a queue, and records the credentials."""

    def do_POST(self) -> None:
        self.server.seen.append(dict(self.headers))  # type: ignore[attr-defined]
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Write no log."""


@pytest.fixture
def emulator() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), Emulator) as server:
        server.seen = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()


@pytest.mark.usefixtures("odd")
def test_the_local_stack_is_reached_over_http_in_any_environment(cafe: Cafe, api: FakeApi) -> None:
    result = cafe("order", "Tea")

    assert (result.exit_code, result.stderr) == (0, ""), result.output
    assert len(api.orders) == 1
    assert cafe("status", "--json").exit_code == 0


@pytest.mark.usefixtures("odd")
def test_the_local_stack_is_called_by_its_administrator_in_any_environment(emulator: HTTPServer) -> None:
    endpoint = f"http://127.0.0.1:{emulator.server_port}"
    local = Clients(stack.Stack(name="local", outputs={}, region=REGION, endpoint=endpoint))
    local.sqs.list_queues()
    helper = LocalStack(directory=Path(), outputs={}, endpoint=endpoint, region=REGION, database={})
    helper.client("sqs").list_queues()

    seen = emulator.seen  # type: ignore[attr-defined]
    assert len(seen) == 2
    for headers in seen:
        assert "Credential=test/" in headers["Authorization"]
        assert "X-Amz-Security-Token" not in headers
        assert headers["User-Agent"].startswith("cafe-orders")


def test_every_client_is_of_the_local_stack_in_any_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in BROKEN.items():
        monkeypatch.setenv(name, value)
    endpoint = "http://127.0.0.1:4566"
    local = Clients(stack.Stack(name="local", outputs={}, region=REGION, endpoint=endpoint))
    for client in (local.dynamodb, local.logs, local.sns, local.cloudwatch, local.secrets, local.sts):
        assert client.meta.endpoint_url == endpoint
        assert client.meta.region_name == REGION
    functions: Any = local.functions
    assert functions.meta.config.read_timeout > 900
    clients.session(REGION).client("s3", endpoint_url=endpoint)


WRONG = [
    ("ALL_PROXY", "socks5h://user:hidden@127.0.0.1:1", "SOCKS is not supported"),
    ("https_proxy", "http://[broken", "must be a URL"),
    ("HTTP_PROXY", "ftp://proxy", "must be a URL"),
    ("HTTP_PROXY", "http://", "must be a URL"),
    ("HTTPS_PROXY", "http://proxy:99999", "must be a URL"),
    ("Https_Proxy", "socks5://127.0.0.1:1", "SOCKS is not supported"),
    ("NO_PROXY", "[::1]", "Invalid"),
    ("AWS_PROFILE", "nobody", "could not be found"),
    ("AWS_PROFILE", "", "could not be found"),
    ("AWS_ENDPOINT_URL", "nonsense", "must be a URL"),
    ("AWS_ENDPOINT_URL_SQS", "nonsense", "must be a URL"),
    ("AWS_CA_BUNDLE", "/nowhere/ca.pem", "No such file"),
    ("AWS_CA_BUNDLE", "/etc/hostname", "no certificates in PEM format"),
    ("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem", "No such file"),
    ("REQUESTS_CA_BUNDLE", "", "it is empty"),
    ("SSL_CERT_FILE", "/nowhere/ca.pem", "No such file"),
    ("SSL_CERT_FILE", "/etc/hostname", "no certificates in PEM format"),
    ("SSL_CERT_DIR", "/nowhere", "no such directory"),
    ("SSLKEYLOGFILE", "/nowhere/keys", "No such file"),
    ("AWS_MAX_ATTEMPTS", "abc", "invalid literal"),
    ("AWS_RETRY_MODE", "xyz", "'legacy', 'standard', 'adaptive'"),
    ("AWS_STS_REGIONAL_ENDPOINTS", "xyz", '"legacy", "regional"'),
    ("AWS_DEFAULTS_MODE", "xyz", "xyz"),
    ("AWS_CSM_PORT", "abc", "invalid literal"),
    ("AWS_METADATA_SERVICE_TIMEOUT", "abc", "invalid literal"),
]


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(("name", "value", "problem"), WRONG)
def test_a_wrong_value_is_named_on_aws(
    cafe: Cafe,
    pulumi: Pulumi,
    api: FakeApi,
    name: str,
    value: str,
    problem: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pulumi.prints(json.dumps({**api.outputs(), "queue_url": "https://queue", "reconcile_function": "R"}))
    monkeypatch.setenv(name, value)

    result = cafe("doctor", "--stack", "dev")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert name in result.stderr
    assert problem in result.stderr
    assert "hidden" not in result.stderr


def test_proxies_and_certificates_are_used_on_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "169.254.169.254,::1,.internal")
    with http.client(None) as client:
        assert any(pattern.pattern == "https://" for pattern in client._mounts)


@pytest.mark.usefixtures("credentials")
def test_the_users_retry_settings_apply_on_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    dev = stack.Stack(name="dev", outputs={}, region=REGION)
    retries = operator.attrgetter("sqs.meta.config.retries")
    assert retries(Clients(dev)) == {"mode": "standard", "total_max_attempts": 5}
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "9")
    monkeypatch.setenv("AWS_RETRY_MODE", "adaptive")
    assert retries(Clients(dev)) == {"mode": "adaptive", "total_max_attempts": 9}


@pytest.mark.parametrize("proxy", ["http://socks.example:3128", "sockshost:3128", "proxy.example"])
def test_a_proxy_whose_name_begins_with_socks_is_used_on_aws(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    http.client(None).close()


WRONG_FILES = [
    ("[default]\nmax_attempts = abc\n", "max_attempts: invalid literal"),
    ("region = us-east-1\n", "AWS_CONFIG_FILE: Unable to parse config file: {config}."),
    (
        "[default]\nregion = a\n[default]\nregion = b\n",
        "AWS_CONFIG_FILE: Unable to parse config file: {config}.",
    ),
    ("[default]\ncredential_process = /nowhere/keys\n", "credential_process: [Errno 2] No such file"),
    ('[default]\ncredential_process = "open\n', "credential_process: No closing quotation."),
    ("[default]\ncredential_process = echo hi\n", "credential_process: Expecting value"),
    (
        "[default]\nrole_arn = arn\nsource_profile = gone\n",
        'credentials: The source_profile "gone" referenced in the profile "default" does not exist.',
    ),
]


@pytest.mark.parametrize(("content", "problem"), WRONG_FILES)
def test_errors_in_configuration_files_are_named_on_aws(
    content: str, problem: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text(content)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))

    with pytest.raises(SetUpError) as caught:
        Clients(stack.Stack(name="dev", outputs={}, region=REGION))

    words = f"The AWS configuration cannot be used: {problem.format(config=config)}"
    assert str(caught.value).startswith(words)


def test_a_missing_file_of_credentials_is_named_on_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/orders")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token")

    with pytest.raises(SetUpError, match=r"AWS_WEB_IDENTITY_TOKEN_FILE: .*No such file"):
        Clients(stack.Stack(name="dev", outputs={}, region=REGION))


@pytest.mark.parametrize("words", [["Tea\udcff"], ["Tea", "--customer", "Zo\udcff"]])
def test_a_name_that_is_not_utf_8_is_wrong_usage(cafe: Cafe, api: FakeApi, words: list[str]) -> None:
    result = cafe("order", *words)

    assert result.exit_code == 2
    assert "It is not UTF-8 text." in result.stderr
    assert api.orders == []
