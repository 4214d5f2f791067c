"""MiniStack in place of AWS: IAM enforced, loopback only, with an environment of its own."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from pathlib import Path

from local.errors import LocalError

# MiniStack's administrator, and the account it owns.
ACCESS_KEY = "test"
SECRET_KEY = "test"  # noqa: S105  # the emulator's well-known key, of use on this machine only
ACCOUNT = "000000000000"
HEALTH_PATH = "/_ministack/health"

ENVIRONMENT = ".venv-ministack"  # made by `scripts/setup ministack`

INSTALL_HINT = "MiniStack, which stands in for AWS, is missing: run `scripts/setup ministack`."


def command(root: Path) -> list[str]:
    """Return the command that runs MiniStack, guarded, with the interpreter of its own virtual environment.

    The functions run with that interpreter too: what they import must be in their archives.

    Raises
    ------
    LocalError
        When the virtual environment is not there.
    """
    python = root / ENVIRONMENT / "bin" / "python"
    if not python.exists():
        raise LocalError(INSTALL_HINT)
    # Not in the file's own directory (-P): modules of ours could be taken for others.
    return [str(python), "-P", str(root / "local" / "emulator" / "gateway.py")]


def python_version(root: Path) -> str:
    """Return the version of Python that runs MiniStack and the functions, such as `3.12`."""
    text = (root / ENVIRONMENT / "pyvenv.cfg").read_text(encoding="utf-8")
    version = re.search(r"^version(?:_info)? *= *(\d+\.\d+)", text, re.MULTILINE)
    if version is None:
        raise LocalError(INSTALL_HINT)
    return version[1]


def search_path() -> str:
    """Return the directories in which MiniStack finds programs: the system's, and Node.js's.

    CloudFront Functions run by it; where the system has none, the one of the tests' browser library serves.
    """
    system = os.defpath if shutil.which("sh", path=os.defpath) else "/usr/bin:/bin"
    library = importlib.util.find_spec("playwright")
    places = (library and library.submodule_search_locations) or []
    return os.pathsep.join([system, *(str(Path(place) / "driver") for place in places)])


def environment(directory: Path, port: int, region: str) -> dict[str, str]:
    """Return all that MiniStack, and with it every function, sees of the environment.

    Nothing is inherited: a function that works only thanks to the developer's shell is found here, and no
    real AWS credentials are in reach.
    """
    temporary = directory / "tmp"
    temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {
        "PATH": search_path(),
        "HOME": str(directory),
        # Functions are unpacked here, and not all of it is ever removed.
        "TMPDIR": str(temporary),
        # Keys that sign tokens are kept here, and removed with the rest.
        "STATE_DIR": str(directory / "state"),
        "LANG": "C.UTF-8",
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_REGION": region,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "AUTH": "true",
        "LAMBDA_EXECUTOR": "local",
        # Servers that the system has no use for.
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "INFO",
    }
