"""Compares the resources that this checkout and another commit register, and their price (`make diff`).

`python -m infra.program_diff [COMMIT]`, by default `origin/main`. Both programs run under mocks, without
AWS, with this checkout's packages. Only a preview knows which changes replace a resource.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from infra import cost_change, prices, recording
from infra.protection import PROTECTED
from infra.recording import ROOT, record_separately

STACKS = ("dev", "prod")
MAX_LINES = 20  # per resource
MAX_VALUE = 100  # characters
SECRET = "[secret]"  # noqa: S105  # replaces a value
MISSING = object()
HASH = re.compile(r"[0-9a-f]{64}")

Program = Mapping[str, Any]
"""Result of `recording.record`."""


def main(arguments: Sequence[str]) -> int:
    """Print the differences of each stack; return the exit code."""
    commit = arguments[0] if arguments else "origin/main"
    with tempfile.TemporaryDirectory() as directory:
        base = Path(directory)
        try:
            check_out(commit, base)
        except subprocess.CalledProcessError as error:
            print(f"Cannot read commit {commit!r}: {error.stderr.decode().strip()}", file=sys.stderr)
            return 2
        for stack in STACKS:
            try:
                lines = report(stack, record_separately(stack, base), record_separately(stack))
            except subprocess.CalledProcessError as error:
                if error.returncode != recording.ENCRYPTED:
                    print(f"The program of {stack} failed:\n{error.stderr}", file=sys.stderr)
                    return 1
                lines = [f"{stack}: not known. {error.stderr.strip()}", cost_change.UNKNOWN]
            print("\n".join(lines), end="\n\n")
    return 0


def check_out(commit: str, directory: Path) -> None:
    """Extract the files of a commit to a directory."""
    archive = subprocess.run(
        ["git", "archive", "--format=tar", "--end-of-options", commit],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(directory, filter="data")


def report(stack: str, before: Program, after: Program) -> list[str]:
    """Return the differences of a stack, and of its monthly price, line by line."""
    counts, *blocks = resource_differences(stack, before, after)
    return [
        counts,
        cost_change.sentence(before["resources"], after["resources"], prices.read()),
        *blocks,
    ]


def resource_differences(stack: str, before: Program, after: Program) -> Iterator[str]:
    """Yield the numbers of changed resources, and each change."""
    old, new = _by_urn(before), _by_urn(after)
    blocks = [
        *(_title("-", old[urn]) for urn in sorted(old.keys() - new.keys())),
        *(_title("+", new[urn]) for urn in sorted(new.keys() - old.keys())),
    ]
    changed = 0
    for urn in sorted(old.keys() & new.keys()):
        lines = list(_changes(old[urn], new[urn]))
        if lines:
            changed += 1
            blocks += [_title("~", new[urn]), *lines[:MAX_LINES]]
            if len(lines) > MAX_LINES:
                blocks.append(f"    … and {len(lines) - MAX_LINES} more")
    added, deleted = len(new.keys() - old.keys()), len(old.keys() - new.keys())
    yield f"{stack}: {added} added, {deleted} deleted, {changed} changed"
    yield from blocks
    yield from (f"- output {name}" for name in sorted(before["outputs"].keys() - after["outputs"].keys()))
    yield from (f"+ output {name}" for name in sorted(after["outputs"].keys() - before["outputs"].keys()))


def _by_urn(program: Program) -> dict[str, Any]:
    return {resource["urn"]: resource for resource in program["resources"]}


def _title(sign: str, resource: Mapping[str, Any]) -> str:
    note = "  (holds data or has a public address)" if resource["type"] in PROTECTED else ""
    return f"{sign} {resource['type']} {resource['name']}{note if sign != '+' else ''}"


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each property that differs, without the values of secrets.

    An option that only one of the commits records is not compared.
    """
    options = (old.keys() & new.keys()) - {"inputs", "urn", "type", "name"}
    before, after = _flat(old, options), _flat(new, options)
    for key in sorted(before.keys() | after.keys()):
        one, other = before.get(key, MISSING), after.get(key, MISSING)
        if one != other:
            yield f"    {key}: {_formatted(one)} -> {_formatted(other)}"


def _flat(resource: Mapping[str, Any], options: Collection[str]) -> dict[str, Any]:
    """Return inputs and options by path."""
    inputs = {
        key: SECRET if key in resource["secret_inputs"] else value
        for key, value in resource["inputs"].items()
    }
    return dict(_paths("", inputs)) | dict(_paths("", {f"({key})": resource[key] for key in options}))


def _paths(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    match value:
        case str() if value.startswith(("{", "[")):
            try:
                yield from _paths(path, json.loads(value))
            except ValueError:
                yield path, value
        case dict():
            for key, part in value.items():
                yield from _paths(f"{path}.{key}" if path else key, part)
        case list():
            for index, part in enumerate(value):
                yield from _paths(f"{path}[{index}]", part)
        case _:
            yield path, value


def _formatted(value: Any) -> str:
    if value is MISSING:
        return "(none)"
    if isinstance(value, str) and HASH.fullmatch(value):
        return value[:8]
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}…"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
