"""Every command in the documentation is one that its program accepts; none of them runs here.

`tests/engine` passes those of Pulumi to its CLI, and `tests/end_to_end` runs those of `cafe` that
need neither an id nor AWS.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import botocore.session
import pytest
import typer
import yaml
from botocore import xform_name
from typer.core import TyperGroup

import bench.__main__
from chaos.__main__ import app as chaos
from cli.main import app as cafe
from infra.recording import ROOT
from infra.settings import PARSERS
from tests.docs import markdown

INCOMPLETE = {"MissingParameter", "NoArgsIsHelpError"}  # exceptions of Typer, which exports none of them
VALUES = {"ID": "8f14e45f", "NEW": "17.2026-11-22"}  # of placeholders
# Commands that the AWS CLI adds to the operations of services, and options of every command.
AWS_OWN = {("s3", "ls"), ("s3", "cp")}
AWS_OPTIONS = {"--endpoint-url", "--query", "--region"}
MAKEFILE = markdown.text("Makefile")
TARGETS = re.findall(r"^(\w+):", MAKEFILE, re.MULTILINE)
VARIABLES = re.findall(r"^(\w+) \?=", MAKEFILE, re.MULTILINE)

Check = Callable[[list[str], bool], None]  # of words; false: arguments may be left out


def bench_options(words: list[str], whole: bool) -> None:
    described = io.StringIO()
    with pytest.raises(SystemExit), contextlib.redirect_stdout(described):
        bench.__main__.main(["--help"])
    assert [word for word in words if word.startswith("--") and word not in described.getvalue()] == []


def pytest_options(words: list[str], whole: bool) -> None:
    ours = markdown.text("tests/conftest.py")
    for word in words:
        option = word.partition("=")[0]
        assert option == "-k" or not option.startswith("-") or f'"{option}"' in ours
        assert "/" not in word or (ROOT / word).exists()


def make(words: list[str], whole: bool) -> None:
    target, *assignments = words
    assert target in TARGETS
    for name, _, value in (each.partition("=") for each in assignments):
        assert name in VARIABLES
        if name == "ARGS" and target in ARGUMENTS:
            ARGUMENTS[target](value.split(), True)


def parse_with(app: typer.Typer, *first: str) -> Check:
    """Return the check of a command line of ours."""
    return lambda words, whole: parse(app, [*first, *words], whole)


@cache
def built(app: typer.Typer) -> Any:
    """Return the command line of an application, which Typer takes a tenth of a second to build."""
    return typer.main.get_command(app)


def parse(app: typer.Typer, words: list[str], whole: bool) -> None:
    """Parse a command of ours as its own command line does."""
    command = built(app)
    words = [VALUES.get(word, word) for word in words]
    while isinstance(command, TyperGroup) and words and not words[0].startswith("-"):
        name, *words = words
        assert name in command.commands, f"{name} is not a command"
        command = command.commands[name]
    try:
        command.make_context(command.name, words)
    except typer.Exit:
        assert not words or "--help" in words
    except typer.TyperException as error:
        incomplete = type(error).__name__ in INCOMPLETE or "requires an argument" in str(error)
        if whole or not incomplete:
            raise


def aws(words: list[str], whole: bool) -> None:
    """Compare a command of the AWS CLI with the SDK's description of the service."""
    service, command, *arguments = words
    if (service, command) in AWS_OWN:
        return
    model = botocore.session.get_session().get_service_model(service)
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    shape = model.operation_model(operations[command]).input_shape
    options = {f"--{xform_name(member, '-')}" for member in (shape.members if shape else ())}
    used = {word for word in arguments if word.startswith("--")}
    assert used <= options | AWS_OPTIONS


def pulumi(words: list[str], whole: bool) -> None:
    """Check that a setting exists and takes the value."""
    if words[:2] != ["config", "set"] or len(words) == 2:
        return
    key, value = [word for word in words[2:] if not word.startswith("--")][:2]
    element = "--path" in words
    github = yaml.safe_load(markdown.text("deploy/github/Pulumi.yaml"))["config"]
    if key != "aws:region" and key.partition("[")[0] not in github:
        parser = PARSERS[key.partition("[")[0]]
        if not element and not value.isupper() and value != "…":
            parser(value)


def setup_parts(words: list[str], whole: bool) -> None:
    described = markdown.text("scripts/setup")
    assert [word for word in words if not re.search(rf"^#   {word} ", described, re.MULTILINE)] == []


def module(words: list[str], whole: bool) -> None:
    option, name, *_ = words
    assert option == "-m"
    assert (ROOT / name.replace(".", "/")).with_suffix(".py").exists()


def anything(words: list[str], whole: bool) -> None:
    """Accept the arguments of programs that are not ours and change nothing here."""


ARGUMENTS: dict[str, Check] = {
    "bench": bench_options,
    "chaos": parse_with(chaos),
    "engine": pytest_options,
    "local": parse_with(cafe, "local"),
    "quick": pytest_options,
    "test": pytest_options,
}
CHECKS: dict[str, Check] = {
    "aws": aws,
    "cafe": parse_with(cafe),
    "make": make,
    "pulumi": pulumi,
    "scripts/setup": setup_parts,
    ".venv/bin/python": module,
    ".venv/bin/uvx": anything,
    **dict.fromkeys((".", "cd", "dig", "export", "gh", "git", "mkdir"), anything),
}


@pytest.mark.parametrize("name", markdown.NAMES)
def test_every_command_in_a_block_can_be_typed_as_it_stands(name: str) -> None:
    for program, *words in markdown.typed(name):
        CHECKS[program](words, True)


@pytest.mark.parametrize("name", markdown.NAMES)
def test_every_command_in_a_sentence_exists_with_its_options(name: str) -> None:
    for program, *words in markdown.mentioned(name):
        CHECKS[program](words, False)
