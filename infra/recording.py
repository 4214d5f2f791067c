"""Runs the Pulumi program of a stack under mocks, and returns the resources that it registers.

For tests, `make diff` and `cafe cost`; `python -m infra.recording STACK` prints them as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import io
import json
import logging
import os
import runpy
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.runtime import mocks, rpc
from pulumi.runtime.settings import SETTINGS, get_root_resource
from pulumi.runtime.stack import wait_for_rpcs

ROOT = Path(__file__).parent.parent
PROJECT: str = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))["name"]
ENCRYPTED = 3  # exit code: only Pulumi can decrypt a setting
ZONES = {"use1-az3": "us-east-1a", "use1-az1": "us-east-1b", "use1-az2": "us-east-1c"}


class EncryptedSettingError(Exception):
    """A setting that only Pulumi can decrypt."""


class Recorder(mocks.MockMonitor):
    """Records what Pulumi does not pass to mocks: parent, protection and dependencies of each resource."""

    def __init__(self) -> None:
        super().__init__(MockProvider())
        self.recorded: list[dict[str, Any]] = []

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        self.recorded.append(
            {
                "urn": response.urn,
                "type": request.type,
                "name": request.name,
                "custom": request.custom,
                "parent": request.parent,
                "protect": request.protect,
                "retained": request.retainOnDelete,
                "create_timeout": request.customTimeouts.create,
                "delete_timeout": request.customTimeouts.delete,
                "depends_on": sorted(request.dependencies),
                "ignore_changes": sorted(request.ignoreChanges),
                "replace_on_changes": sorted(request.replaceOnChanges),
                "secret_inputs": sorted(
                    key
                    for key, value in rpc.deserialize_properties(request.object).items()
                    if rpc.is_rpc_secret(value)
                ),
                "inputs": plain(rpc.deserialize_properties(request.object)),
            }
        )
        return response


class MockProvider(mocks.Mocks):
    """Returns outputs that contain the name of their resource."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        kind = args.typ.rpartition(":")[2]
        about = f"{kind}.{args.name}"
        outputs = {
            "arn": f"arn:{about}",
            "bucket": about,
            "name": about,
            "url": f"https://{about}",
            "address": f"{about}.rds",
            "port": 3306,
            "resourceId": f"db-{args.name}",
            "identifier": about,
            "uuid": f"uuid of {about}",
            "masterUserSecrets": [{"secretArn": f"arn:master:{about}"}],
            "domainName": "d1.cloudfront.net",
            "hostedZoneId": "Z2FDTNDATAQYW2",
            "domainValidationOptions": [
                {"resourceRecordName": "_0.", "resourceRecordType": "CNAME", "resourceRecordValue": "_1."}
            ],
            "bucketRegionalDomainName": f"{args.name}.s3.us-east-1.amazonaws.com",
            "executionArn": f"arn:execute:{about}",
            "invokeArn": f"arn:invoke:{about}",
            "invokeUrl": f"https://api.execute-api.us-east-1.amazonaws.com/{args.inputs.get('stageName')}",
            "rootResourceId": "root",
            "prefixListId": f"pl-{args.name}",
            "ipv6CidrBlock": "2600:1f18:1234:5600::/56",
            "versionId": f"version of {about}",
            "hex": "0a1b2c3d",
            "value": {rpc._special_sig_key: rpc._special_secret_sig, "value": "k3y"},
            "result": {rpc._special_sig_key: rpc._special_secret_sig, "value": "p4ssw0rd"},
        }
        return f"id-{about}", {**outputs, **args.inputs}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        results: dict[str, dict[str, Any]] = {
            "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": "123456789012"},
            "aws:index/getRegion:getRegion": {"region": "us-east-1", "id": "us-east-1"},
            "aws:route53/getZone:getZone": {"name": pulumi.Config().get("domain"), "privateZone": False},
            "aws:index/getAvailabilityZones:getAvailabilityZones": {
                "names": [
                    name for zone, name in ZONES.items() if zone not in args.args.get("excludeZoneIds", [])
                ],
                "id": "us-east-1",
            },
        }
        return results[args.token], []


def plain(value: Any) -> Any:
    """Convert inputs to JSON: secrets unwrapped, archives as the hashes of their files."""
    match value:
        case _ if rpc.is_rpc_secret(value):
            return plain(rpc.unwrap_rpc_secret(value))
        case dict():
            return {key: plain(element) for key, element in value.items()}
        case list():
            return [plain(element) for element in value]
        case float() if value.is_integer():
            return int(value)
        case pulumi.AssetArchive():
            return {name: plain(asset) for name, asset in value.assets.items()}
        case pulumi.FileAsset():
            return hashlib.sha256(Path(value.path).read_bytes()).hexdigest()
        case pulumi.StringAsset():
            return value.text
    return value


def configuration(stack: str, root: Path = ROOT) -> dict[str, str]:
    """Read a stack's configuration as the Pulumi CLI does: the stack's file over the project's defaults.

    Raises
    ------
    EncryptedSettingError
        One of the project's settings in the stack's file is a secret.
    """
    project, declared = _declared(root)
    values = {
        f"{project}:{key}": entry["default"]
        for key, entry in declared.items()
        if ":" not in key and "default" in entry
    }
    own = root / f"Pulumi.{stack}.yaml"
    if own.is_file():
        # `pulumi stack init` can write a file without settings.
        document = yaml.safe_load(own.read_text(encoding="utf-8")) or {}
        entries = document.get("config") or {}
        qualified = {key if ":" in key else f"{project}:{key}": value for key, value in entries.items()}
        for key, value in qualified.items():
            if key.startswith(f"{project}:") and _encrypted(value):
                raise EncryptedSettingError(f"{own.name}: only Pulumi can decrypt the setting {key}.")
        values |= qualified
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}


def _encrypted(value: Any) -> bool:
    """Return whether a setting is, or contains, what `pulumi config set --secret` wrote."""
    match value:
        case {"secure": str()}:
            return True
        case dict():
            return any(map(_encrypted, value.values()))
        case list():
            return any(map(_encrypted, value))
    return False


@functools.cache
def _declared(root: Path) -> tuple[str, dict[str, Any]]:
    """Return a project's name and settings."""
    project = yaml.safe_load((root / "Pulumi.yaml").read_text(encoding="utf-8"))
    return project["name"], project["config"]


async def _record(stack: str, settings: Mapping[str, str], root: Path) -> dict[str, Any]:
    monitor = Recorder()
    # Pulumi logs warnings, such as of a deprecated resource type, to standard error, which `record` replaces.
    logging.basicConfig(level=logging.WARNING, format="%(message)s", force=True)
    mocks.set_mocks(
        monitor.mocks,
        project=_declared(root)[0],
        stack=stack,
        preview=False,
        logger=logging.getLogger("pulumi"),
        monitor=monitor,
    )
    SETTINGS.outputs.clear()  # of an earlier run that failed
    pulumi.runtime.set_all_config(dict(settings))
    runpy.run_path(str(root), run_name="__main__")  # adds the folder to the path, as Pulumi does
    await wait_for_rpcs()
    top: Any = get_root_resource()
    outputs = {name: await pulumi.Output.from_input(value).future() for name, value in top.outputs.items()}
    return {"resources": monitor.recorded, "outputs": outputs}


def record(stack: str, changes: Mapping[str, str], root: Path = ROOT) -> dict[str, Any]:
    """Run the program with changed settings; return its resources, outputs and warnings.

    It clears the environment of this process.

    Raises
    ------
    pulumi.RunError
        The program refused its settings.
    """
    for name in os.environ.keys() - {"PATH", "HOME"}:
        del os.environ[name]
    changed = {f"{_declared(root)[0]}:{key}": value for key, value in changes.items()}
    # Within `catch_warnings`, Python shows a warning again that it showed before.
    with contextlib.redirect_stderr(io.StringIO()) as errors, warnings.catch_warnings():
        recorded = asyncio.run(_record(stack, {**configuration(stack, root), **changed}, root))
    return {**recorded, "warnings": errors.getvalue()}


def record_separately(stack: str, root: Path = ROOT) -> dict[str, Any]:
    """Record a checkout's program in a separate process, which imports that checkout's modules.

    Raises
    ------
    subprocess.CalledProcessError
        The program failed: `stderr` has the reason, and the exit code is that of `main`.
    """
    run = subprocess.run(
        [sys.executable, "-P", "-m", "infra.recording", stack],
        cwd=root,
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        | {"PYTHONPATH": str(root)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    program: dict[str, Any] = json.loads(run.stdout)
    return program


def main(arguments: Sequence[str]) -> int:
    """Print a stack's resources, outputs and warnings as JSON; return the exit code."""
    (stack,) = arguments
    try:
        print(json.dumps(record(stack, {})))
    except pulumi.RunError as error:
        print(error, file=sys.stderr)
        return 2
    except EncryptedSettingError as error:
        print(error, file=sys.stderr)
        return ENCRYPTED
    except yaml.YAMLError as error:
        print(f"Pulumi.{stack}.yaml is not valid YAML: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
