"""Pulumi's CLI accepts each command and option of Pulumi in the documentation."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.docs import markdown

# Commands that scripts/pulumi runs for targets of make, with the options in ARGS.
MAKE = {"deploy": "up", "destroy": "destroy", "drift": "refresh", "preview": "preview"}


def documented() -> Iterator[list[str]]:
    for name in markdown.NAMES:
        for program, *words in [*markdown.typed(name), *markdown.mentioned(name)]:
            if program == "pulumi" and words:
                yield words
            elif program == "make" and words and words[0] in MAKE:
                arguments = [word.removeprefix("ARGS=").split() for word in words if word.startswith("ARGS=")]
                yield [MAKE[words[0]], "--stack", "prod", *(arguments[0] if arguments else [])]


def test_every_command_of_pulumi_is_one_that_its_cli_accepts(pulumi: Path, tmp_path: Path) -> None:
    # Each combination of command and options once; names and values do not matter.
    lines = {}
    for words in documented():
        command = words[: 2 if words[0] in {"config", "stack"} else 1]
        lines[*command, *(word for word in words if word.startswith("-"))] = words
    assert len(lines) > 10
    for words in lines.values():
        # Options are parsed before help is printed, and nothing runs.
        result = subprocess.run(
            [pulumi, *words, "--help"],
            cwd=tmp_path,
            env={"HOME": str(tmp_path), "PULUMI_SKIP_UPDATE_CHECK": "true"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        # A command that does not exist is taken for an argument of its group.
        assert "[command]" not in result.stdout, words
