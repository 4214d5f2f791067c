"""The environment as boto3 and httpx read it for a stack on AWS, with errors that name wrong variables.

The local stack needs none of it: see `local.clients` and `cli.http`.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cli.errors import SetUpError

# boto3 takes longer to import than a command takes that uses HTTP alone.
if TYPE_CHECKING:
    import boto3

PROXIES = ("http_proxy", "https_proxy", "all_proxy")
# Defaults for AWS_RETRY_MODE, AWS_MAX_ATTEMPTS and the configuration file.
RETRIES = {
    "retry_mode": ("retry_mode", "AWS_RETRY_MODE", "standard", None),
    "max_attempts": ("max_attempts", "AWS_MAX_ATTEMPTS", 5, int),
}


def session(region: str) -> boto3.Session:
    """Return a session with the user's credentials, profile and settings; raise SetUpError without them."""
    import boto3
    import botocore.session
    from botocore.exceptions import BotoCoreError, ClientError

    check()
    core = botocore.session.Session(session_vars=RETRIES)
    with configuration_errors():
        core.full_config  # noqa: B018  # reads the files
    with configuration_errors("AWS_PROFILE"):
        profile = core.get_scoped_config()
    for name in core.session_var_map:
        with configuration_errors(name):
            core.get_config_variable(name)
    with configuration_errors("credential_process" if "credential_process" in profile else "credentials"):
        found = boto3.Session(botocore_session=core, region_name=region)
        credentials = found.get_credentials()
        # Reads the files that are named. AWS checks the credentials with the first request.
        with suppress(BotoCoreError, ClientError):
            if credentials is not None:
                credentials.get_frozen_credentials()
    with configuration_errors():
        found.client("sts")  # checks further settings
    if credentials is None:
        raise SetUpError(
            "No AWS credentials were found: type `aws configure` or `aws sso login`, or set AWS_PROFILE."
        )
    return found


@contextmanager
def configuration_errors(setting: str = "") -> Iterator[None]:
    """Convert botocore's configuration errors to `SetUpError` with the variables' names, or a setting's.

    Botocore's messages contain the value, or name the file.
    """
    from botocore.exceptions import BotoCoreError

    try:
        yield
    except (BotoCoreError, ValueError, OSError) as error:
        problem = " ".join(str(error).split()).rstrip(".:")
        names = [name for name in sorted(os.environ) if name.startswith("AWS_") and _names(name, problem)]
        where = f"{found}: " if (found := " or ".join(names) or setting) else ""
        raise SetUpError(f"The AWS configuration cannot be used: {where}{problem}.") from error


def check() -> None:
    """Check the variables that would break both libraries, or their TLS contexts.

    The error has the name of a variable, but not its value: a proxy's may contain a password.
    """
    for name in sorted(os.environ):
        # In upper or lower case, as Python reads them; names in lower case take precedence.
        if name.lower() in PROXIES and (name.islower() or name.lower() not in os.environ):
            _check(name, _check_proxy)
        elif name.startswith("AWS_ENDPOINT_URL"):
            _check(name, _check_endpoint)
    _check("SSL_CERT_FILE", _check_authorities)
    _check("SSL_CERT_DIR", _check_directories)
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        if os.environ.get(name) == "":
            raise wrong(name, "it is empty; unset it, or set it to a file")
        _check(name, _check_bundle)
    _check("SSLKEYLOGFILE", lambda path: open(path, "ab").close())  # noqa: PTH123


def wrong(name: str, problem: object) -> SetUpError:
    """Return the error about a variable."""
    return SetUpError(f"The environment variable {name} cannot be used: {str(problem).rstrip('.')}.")


def _check(name: str, validate: Callable[[str], None]) -> None:
    value = os.environ.get(name)
    if not value:
        return
    try:
        validate(value)
    except ssl.SSLError:
        raise wrong(name, "the file has no certificates in PEM format") from None
    except OSError as error:
        raise wrong(name, error.strerror) from None
    except ValueError:
        raise wrong(name, "it must be a URL, such as http://proxy.example.com:3128") from None


def _check_proxy(value: str) -> None:
    if re.match(r"socks\w*://", value, re.IGNORECASE):
        raise OSError(0, "SOCKS is not supported; use an HTTP proxy, or unset it")
    _check_endpoint(value if "://" in value else f"http://{value}")


def _check_endpoint(value: str) -> None:
    address = urlsplit(value)
    if address.scheme not in ("http", "https") or not address.hostname or address.port == 0:
        raise ValueError(value)


def _check_authorities(path: str) -> None:
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)


def _check_directories(paths: str) -> None:
    if not any(Path(path).is_dir() for path in paths.split(os.pathsep)):
        raise NotADirectoryError(0, "no such directory")


def _check_bundle(path: str) -> None:
    if not Path(path).is_dir():
        _check_authorities(path)


def _names(name: str, problem: str) -> bool:
    value = os.environ[name].strip()
    return bool(value) and re.search(rf"(?<!\w){re.escape(value)}(?!\w)", problem) is not None
