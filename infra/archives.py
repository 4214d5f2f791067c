"""Contents of the functions' archives: a handler, the modules that it imports, and its data files.

Archives are reproducible: files are listed one by one, so that no `__pycache__` or other file gets in.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pulumi

FUNCTIONS = Path(__file__).parent.parent / "functions"
# Packages that our modules import and Lambda's Python runtime lacks, unlike botocore.
VENDORED = ("pymysql",)
MODELS = FUNCTIONS / "models"
CLIENT = re.compile(r'aws\.client\(\s*"(\w+)"')  # creates the client of a service

Files = dict[str, Path]
"""Files by their paths in the archive."""


def archive(files: Mapping[str, Path]) -> pulumi.AssetArchive:
    """Return the archive of files."""
    return pulumi.AssetArchive({name: pulumi.FileAsset(str(files[name])) for name in sorted(files)})


def code(handler: str) -> Files:
    """Return a handler's module and its direct and indirect imports."""
    files: Files = {}
    waiting, seen = {handler}, set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        path = f"{name.replace('.', '/')}.py"
        package = f"{name.replace('.', '/')}/__init__.py"
        if name in VENDORED:
            files |= _vendored(name)
        for candidate in (path, package):
            source = FUNCTIONS / candidate
            if source.is_file():
                files[candidate] = source
                waiting |= _imports(source) - seen
    ours = [path.read_text(encoding="utf-8") for path in files.values() if path.is_relative_to(FUNCTIONS)]
    return files | _models({service for source in ours for service in CLIENT.findall(source)})


def migrations() -> Files:
    """Return the database's migrations."""
    return {f"migrations/{path.name}": path for path in sorted((FUNCTIONS / "migrations").glob("*.sql"))}


def time_zone(name: str) -> Files:
    """Return one zone of `tzdata`, which `zoneinfo` reads if the system has no time zones."""
    root = _root("tzdata")
    zone = Path("zoneinfo") / name
    packages = [Path("__init__.py"), *(parent / "__init__.py" for parent in zone.parents if parent.name)]
    return {f"tzdata/{path.as_posix()}": root / path for path in [*packages, zone]}


def _models(services: Iterable[str]) -> Files:
    """Return botocore's models of services."""
    paths = [
        MODELS / "endpoints.json",
        *(path for name in services for path in (MODELS / name).rglob("*.json")),
    ]
    return {path.relative_to(FUNCTIONS).as_posix(): path for path in paths}


def _vendored(package: str) -> Files:
    root = _root(package)
    return {f"{package}/{path.relative_to(root).as_posix()}": path for path in root.rglob("*.py")}


def _root(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise pulumi.RunError(
            f"The Python package {package} is not installed; `scripts/setup python` installs it."
        )
    return Path(spec.origin).parent


@functools.cache
def _imports(source: Path) -> frozenset[str]:
    """Return every module that a file may import at runtime, with its parent packages."""
    found: set[str] = set()
    for node in _nodes(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            found |= {".".join(parts[:end]) for end in range(1, len(parts) + 1)}
    return frozenset(found)


def _nodes(parent: ast.AST) -> Iterator[ast.AST]:
    """Walk a syntax tree without `if TYPE_CHECKING` blocks."""
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        yield node
        yield from _nodes(node)
