"""MiniStack's command and environment: IAM enforced, loopback only."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from pathlib import Path

from local.errors import LocalError

# The administrator's key, and the account.
ACCESS_KEY = "test"
SECRET_KEY = "test"  # noqa: S105  # well known, and valid on this machine only
ACCOUNT = "000000000000"

ENVIRONMENT = ".venv-ministack"  # made by `scripts/setup ministack`

INSTALL_HINT = "MiniStack, which stands in for AWS, is missing: run `scripts/setup ministack`."


def command(root: Path) -> list[str]:
    """Return the command that runs MiniStack behind the gateway, in a virtual environment of its own.

    The functions run in it, too: their imports must be in their archives.

    Raises
    ------
    LocalError
        The virtual environment does not exist.
    """
    python = root / ENVIRONMENT / "bin" / "python"
    if not python.exists():
        raise LocalError(INSTALL_HINT)
    # -P: keep this directory off the search path, where its modules could shadow others.
    return [str(python), "-P", str(root / "local" / "emulator" / "gateway.py")]


def python_version(root: Path) -> str:
    """Return the Python version of MiniStack and the functions, such as `3.12`."""
    text = (root / ENVIRONMENT / "pyvenv.cfg").read_text(encoding="utf-8")
    version = re.search(r"^version(?:_info)? *= *(\d+\.\d+)", text, re.MULTILINE)
    if version is None:
        raise LocalError(INSTALL_HINT)
    return version[1]


def search_path() -> str:
    """Return MiniStack's PATH: the system's, and Playwright's Node.js.

    Node.js runs CloudFront Functions; Playwright's is for systems without one.
    """
    system = os.defpath if shutil.which("sh", path=os.defpath) else "/usr/bin:/bin"
    library = importlib.util.find_spec("playwright")
    packages = (library and library.submodule_search_locations) or []
    return os.pathsep.join([system, *(str(Path(package) / "driver") for package in packages)])


def environment(directory: Path, port: int, region: str) -> dict[str, str]:
    """Return the environment of MiniStack and of every function.

    Nothing is inherited, so that no function depends on the developer's shell or sees real AWS credentials.
    """
    temporary = directory / "tmp"
    temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {
        "PATH": search_path(),
        "HOME": str(directory),
        # Functions are unpacked here, and some files are never removed.
        "TMPDIR": str(temporary),
        # Keys that sign tokens.
        "STATE_DIR": str(directory / "state"),
        "LANG": "C.UTF-8",
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_REGION": region,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "AUTH": "true",
        "LAMBDA_EXECUTOR": "local",
        # Unused servers.
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "INFO",
    }
