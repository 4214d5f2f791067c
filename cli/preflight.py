"""Checks before a deploy, so that it is refused before it changes anything, not half-way.

`python -m cli.preflight STACK [OPTION...]`, with the options that `pulumi up` gets. Exit code 2: refused.
"""

import argparse
import functools
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from cli import account_checks
from cli.account_checks import Finding
from cli.stack import REPOSITORY
from infra import setting_changes, settings

NO_CREDENTIALS = (
    "The deploy was not checked against AWS: no credentials for the stack's account were found here. "
    "Pulumi may find its own (aws:profile, Pulumi ESC); otherwise type `aws configure` or `aws sso login`."
)


def main(arguments: Sequence[str]) -> int:
    """Check a deploy, print the findings on standard error, and return the exit code."""
    stack, *options = arguments
    try:
        configuration = read_configuration(stack)
        outputs = _pulumi("stack", "output", "--json", "--stack", stack)
    except (subprocess.SubprocessError, ValueError) as error:
        print(f"Warning: the deploy was not checked, because {error}", file=sys.stderr)
        return 0
    configuration |= chosen(options)
    found = findings(stack, configuration, outputs, account_checks.clients(configuration, outputs))
    for finding in found:
        if not finding.refuses:
            print(f"Warning: {finding.sentence}", file=sys.stderr)
    refusals = [finding.sentence for finding in found if finding.refuses]
    if refusals:
        print("This cannot be deployed:", *refusals, sep="\n  ", file=sys.stderr)
    return 2 if refusals else 0


def findings(
    stack: str,
    configuration: Mapping[str, str],
    outputs: Mapping[str, Any],
    client: account_checks.Client | None,
) -> list[Finding]:
    """Return the reasons against a deploy, and warnings.

    The configuration has full keys, such as `aws:region`; `outputs` are empty for a new stack.
    """
    region = configuration.get("aws:region")
    try:
        wanted = settings.parse(stack, settings.of_project(configuration, project()), region)
    except settings.SettingsError:
        return []  # the program reports each wrong setting
    before = json.loads(outputs.get("deployed_settings", "{}"))
    found = [Finding(sentence) for sentence in setting_changes.refusals(before, wanted)]
    deployed_in = outputs.get("topic_arn", f":::{region}").split(":")[3]
    if region and region != deployed_in:
        found.append(
            Finding(f"aws:region: the stack is in {deployed_in}, and cannot move: create another stack.")
        )
    elif client is None:
        found.append(Finding(NO_CREDENTIALS, refuses=False))
    else:
        found += account_checks.findings(
            account_checks.Deploy(wanted=wanted, before=before, outputs=outputs), client
        )
    return found


@functools.cache
def project() -> str:
    """Return the project's name, which the user of `pulumi new` chooses."""
    name: str = yaml.safe_load((REPOSITORY / "Pulumi.yaml").read_text(encoding="utf-8"))["name"]
    return name


def chosen(options: Sequence[str]) -> dict[str, str]:
    """Return the settings among a command's options, by full keys; Pulumi refuses an option without one."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-c", "--config", action="append", default=[], nargs="?", const="")
    pairs = (text.partition("=") for text in parser.parse_known_args(options)[0].config if text)
    return {key if ":" in key else f"{project()}:{key}": value for key, _, value in pairs}


def read_configuration(stack: str) -> dict[str, str]:
    """Return a stack's configuration with the project's defaults, without secrets."""
    entries = _pulumi("config", "--json", "--stack", stack)
    return {key: entry["value"] for key, entry in entries.items() if "value" in entry}


def _pulumi(*words: str) -> dict[str, Any]:
    command = ["pulumi", "--non-interactive", *words]
    printed = subprocess.check_output(command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, timeout=120)
    document: dict[str, Any] = json.loads(printed)
    return document


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
