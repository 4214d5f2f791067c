"""Archives of functions' code."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pulumi
import pytest

from local.deployer.archives import read_asset, zipped


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    package = tmp_path / "package"
    (package / "__pycache__").mkdir(parents=True)
    (package / "__pycache__" / "code.cpython-311.pyc").write_bytes(b"compiled")
    (package / "code.py").write_text("x = 1\n")
    (tmp_path / "rds-ca.pem").write_text("Amazon's")
    return tmp_path


def _archive(sources: Path) -> pulumi.AssetArchive:
    return pulumi.AssetArchive(
        {
            "package": pulumi.FileArchive(str(sources / "package")),
            "config.json": pulumi.StringAsset("{}"),
            "rds-ca.pem": pulumi.FileAsset(str(sources / "rds-ca.pem")),
        }
    )


def _contents(package: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(package)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def test_the_same_files_give_the_same_bytes(sources: Path) -> None:
    first = zipped(_archive(sources), {})
    os.utime(sources / "package" / "code.py", (1_000_000_000, 1_000_000_000))
    assert zipped(_archive(sources), {}) == first


def test_an_archive_holds_its_files_without_bytecode(sources: Path) -> None:
    assert _contents(zipped(_archive(sources), {})) == {
        "config.json": b"{}",
        "package/code.py": b"x = 1\n",
        "rds-ca.pem": b"Amazon's",
    }


def test_the_authorities_for_the_database_are_replaced(sources: Path) -> None:
    assert _contents(zipped(_archive(sources), {"rds-ca.pem": b"ours"}))["rds-ca.pem"] == b"ours"


def test_a_zip_file_in_an_archive_is_unpacked(sources: Path) -> None:
    path = sources / "layer.zip"
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("lib/module.py", "y = 2\n")
    archive = pulumi.AssetArchive({"vendor": pulumi.FileArchive(str(path))})
    assert _contents(zipped(archive, {})) == {"vendor/lib/module.py": b"y = 2\n"}


def test_a_remote_asset_is_refused() -> None:
    with pytest.raises(TypeError, match="RemoteAsset"):
        read_asset(pulumi.RemoteAsset("https://example.com/file"))
