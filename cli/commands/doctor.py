"""`cafe doctor`: check a stack."""

from dataclasses import asdict

import typer

from cli import http
from cli.doctor.context import Context, State
from cli.doctor.findings import Finding, findings
from cli.options import Target, commands, stack_command
from cli.terminal import plain, print_json, say

SIGNS = {"ok": ("✓", None), "warn": ("!", "yellow"), "bad": ("✗", "red")}


@stack_command(commands, "doctor", "cafe doctor", "cafe doctor --stack prod --json")
def doctor_command(target: Target) -> None:
    """Report what is wrong with the system, and which command to type next.

    It changes nothing, and places no order: `cafe verify` does. Exit code 1: something is bad.
    """
    found: list[Finding] = []
    with http.client(target.stack.endpoint) as client:
        for finding in findings(Context(target.stack, target.clients, client)):
            found.append(finding)
            if not target.as_json:
                _say_finding(finding)
    bad = sum(finding.state is State.BAD for finding in found)
    warned = sum(finding.state is State.WARN for finding in found)
    if target.as_json:
        print_json({"stack": target.name, "ok": not bad, "findings": [asdict(finding) for finding in found]})
    elif bad or warned:
        say(f"{bad} bad, {warned} to check.", style="bold red" if bad else "bold yellow")
    else:
        say("All is well.", style="bold green")
    raise typer.Exit(1 if bad else 0)


def _say_finding(finding: Finding) -> None:
    sign, style = SIGNS[finding.state]
    say(f"{sign} {finding.title:<19} {plain(finding.detail)}", style=style)
    if finding.next:
        say(f"{'':<21} → {plain(finding.next)}", style=style)
