"""Reuse in each test process what `cafe` creates for every call: its commands, and certificates."""

from __future__ import annotations

import functools
import os
import ssl
from typing import Any

import httpx
import pytest
import typer.main
import typer.testing


def pytest_configure(config: pytest.Config) -> None:
    """Cache the commands that Typer's runner builds, and httpx's default TLS context."""
    patch = pytest.MonkeyPatch()
    patch.setattr(typer.testing, "_get_command", functools.cache(typer.main.get_command))
    patch.setattr("httpx._transports.default.create_ssl_context", create_ssl_context)
    config.add_cleanup(patch.undo)


def create_ssl_context(verify: Any, cert: Any, trust_env: bool) -> ssl.SSLContext:
    """Return a TLS context as httpx creates it; cache the default one, which takes as long as most tests."""
    if verify is True and cert is None and trust_env:
        return _default_context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    return httpx.create_ssl_context(verify, cert, trust_env)


@functools.cache
def _default_context(_file: str | None, _directory: str | None) -> ssl.SSLContext:
    """Return the default context for these variables of the environment."""
    return httpx.create_ssl_context()
