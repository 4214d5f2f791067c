"""`cafe logs`: the functions' log lines."""

import json
import re
import time
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.text import Text

from cli import logs
from cli.logs import Line
from cli.options import Target, commands, not_blank, parse_time, stack_command, text
from cli.terminal import note, out, plain
from cli.times import local_time

STYLES = {"ERROR": "red", "WARNING": "yellow"}
# Lines of Lambda about each invocation, and about its failures.
INVOCATION = re.compile(r"(START|END|REPORT) RequestId: |INIT_START |INIT_REPORT ")
FAILURE = re.compile(r"\[ERROR\]|.*(Task timed out|Runtime exited|Runtime\.)")
FIELDS = frozenset({"level", "message", "_aws", "FunctionName"})  # not repeated, or for CloudWatch's metrics
# CloudWatch takes five requests a second; a poll makes one for each function.
PAUSE = 0.25  # seconds for each function between two polls


@stack_command(
    commands,
    "logs",
    "cafe logs",
    "cafe logs OrderProcessor --since 15m",
    "cafe logs --order O1234 --since 2026-11-22",
    "cafe logs --follow --stack prod",
)
def logs_command(
    target: Target,
    function: Annotated[
        str | None,
        typer.Argument(
            metavar="[FUNCTION]",
            callback=text,
            help="A function, or the beginning of its name; default: all.",
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print new lines until Ctrl-C.")] = False,
    order: Annotated[
        str | None,
        typer.Option(callback=not_blank, help="Only lines about the order, or message, with this id."),
    ] = None,
    since: Annotated[
        str, typer.Option(help="How long ago, such as 15m, 1h or 2d, or a date or time.")
    ] = "1h",
) -> None:
    """Print the functions' log lines, sorted by time, without those of Lambda about each invocation.

    With --json, all of them, each as one JSON object in one line. AWS charges nothing for reading them.
    """
    names = logs.groups(target.stack)
    if function is not None:
        name = _named(function, names)
        names = {name: names[name]}
    polls = logs.polls(target.clients.logs, names, parse_time(since, "--since", ago=True), order)
    if not _print(target, next(polls)) and not follow:
        note(f"No lines since {since}.")
    while follow:
        time.sleep(max(1.0, PAUSE * len(names)))
        _print(target, next(polls))


def rendered(line: Line) -> Text | None:
    """Return a line for people, None for those of Lambda about an invocation."""
    if INVOCATION.match(line.text):
        return None
    level = str(line.fields.get("level", "ERROR" if FAILURE.match(line.text) else ""))
    values = [f"{name}={_value(value)}" for name, value in line.fields.items() if name not in FIELDS]
    rest = "  ".join([line.message or line.text, *values])
    text = Text(f"{local_time(line.at)}.{line.at:%f}"[:-3])
    text.append(f"  {line.function:<20}  ")
    text.append(f"{plain(level):<7}", STYLES.get(level))
    return text.append(f"  {plain(rest)}")


def _print(target: Target, lines: Iterable[Line]) -> int:
    """Print lines; return how many."""
    count = 0
    for line in lines:
        if target.as_json:
            typer.echo(json.dumps(line.document()))
        elif shown := rendered(line):
            out.print(shown, soft_wrap=True)
        else:
            continue
        count += 1
    return count


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _named(function: str, names: Iterable[str]) -> str:
    """Return the only function whose name begins so, in any case, with or without underscores."""
    start = re.sub("[_-]", "", function).lower()
    exact = [name for name in names if name.lower() == start]
    found = exact or [name for name in names if name.lower().startswith(start)]
    if len(found) != 1 or not start:
        raise typer.BadParameter(f"It must be one of {', '.join(names)}.", param_hint="FUNCTION")
    return found[0]
