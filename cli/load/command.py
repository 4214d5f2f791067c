"""`cafe load`: what can be typed, and what is then printed."""

from contextlib import nullcontext
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import plurals, stack
from cli.options import (
    DAY,
    DEFAULT_STACK,
    MOST,
    AsJson,
    Debug,
    Directory,
    SentenceGroup,
    StackName,
    Yes,
    examples,
    finite,
)
from cli.terminal import confirm, err, is_live, note, plain, print_json, say

if TYPE_CHECKING:
    from cli.load.plan import Door, Plan
    from cli.load.run import Figures, Run

app = typer.Typer(cls=SentenceGroup)


class Through(StrEnum):
    """The ways in."""

    HTTP = "http"
    TOPIC = "topic"


# Requests at once, and how many a second each of them is good for.
HANDS = {Through.HTTP: 8, Through.TOPIC: 4}
MOST_HANDS = 64
KITCHEN_RATE = 0.25  # orders a second that a small kitchen can make
PER_HAND = {Through.HTTP: 10, Through.TOPIC: 100}
Percent = Annotated[
    float, typer.Option(min=0, max=100, callback=finite, help="Percent of the orders, on top of them.")
]


@app.command(
    "load",
    epilog=examples(
        "cafe load --orders 1000",
        "cafe load --orders 10000 --rate 200 --duplicates 10 --malformed 1 --through topic",
        "cafe load --orders 100 --kitchen",
    ),
)
def load_command(
    orders: Annotated[int, typer.Option(min=1, max=MOST, help="How many orders.")] = 1000,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=MOST,
            callback=finite,
            help="A second, at most; as fast as it goes unless given.",
            show_default=False,
        ),
    ] = None,
    duplicates: Percent = 0,
    malformed: Percent = 0,
    through: Annotated[Through, typer.Option(help="The API, or the topic.")] = Through.HTTP,
    patience: Annotated[
        float,
        typer.Option(
            min=0.1, max=DAY, callback=finite, help="Seconds without any progress after which it gives up."
        ),
    ] = 60,
    kitchen: Annotated[
        bool,
        typer.Option(
            "--kitchen",
            help="Show the orders on the screens, and make them: one every 4 s unless --rate says.",
        ),
    ] = False,
    yes: Yes = False,
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Place many orders, follow them to the end, and check that each was counted exactly once.

    They stay in the stack's counts. They are of the items “Load test 1” to “3”, and tests that no screen
    shows; with --kitchen, they are drinks that are prepared, made ready and collected at a human pace.
    Latency is from before an order is sent to when both stores have it, of a sample, to a tenth of a second.
    Exit code 1: a check failed.
    """
    from cli import aws, http
    from cli.kitchen.client import Kitchen
    from cli.load import run as load
    from cli.load.checks import Checks, Counters
    from cli.load.kitchen import playing
    from cli.load.plan import Plan
    from cli.reconciler import Reconciler
    from cli.stopping import stopping

    target = stack.load(stack_name, directory)
    if target.endpoint is None:
        where = " and on its screens" if kitchen else ""
        confirm(f"Place {orders:,} test orders in stack {target.name}, for good{where}?", yes=yes)
    if kitchen and rate is None:
        rate = KITCHEN_RATE
    plan = Plan(orders=orders, duplicates=duplicates, malformed=malformed, rate=rate, kitchen=kitchen)
    hands = min(MOST_HANDS, max(HANDS[through], round((rate or 0) / PER_HAND[through])))
    with http.client(target.endpoint, hands) as client, stopping() as stop:
        clients = aws.Clients(target)
        counters = Counters(target, clients, client, plan.items)
        reconciler = Reconciler(functions=clients.functions, name=target.output("reconcile_function"))
        door = _door(target, plan, through, clients, client)
        run = load.Run(plan, door, counters, hands=hands, stop=stop, patience=patience)
        with playing(Kitchen.of(target, clients), run.tally.numbers, stop) if kitchen else nullcontext():
            _follow(run, plan)
        stopped = stop.is_set()
        by_http = through is Through.HTTP
        checking = Checks(plan, run.tally, run.before, counters, reconciler, by_http=by_http)
        checks = [] if stopped else list(checking.run())
    failed = [check for check in checks if not check.ok]
    figures = run.figures()
    if as_json:
        print_json(_load_document(run, plan, stopped) | {"checks": [asdict(check) for check in checks]})
    else:
        say(_figures_line(figures, plan))
        for check in checks:
            say(f"{'✓' if check.ok else '✗'} {plain(check.detail)}", style=None if check.ok else "red")
    if stopped:
        note(
            f"Stopped: {figures.sent:,} of {plurals.orders(plan.orders)} {plurals.were(plan.orders)} sent; "
            "they are still recorded."
        )
        raise typer.Exit(130)
    if failed:
        note(f"{len(failed)} of {plurals.counted(len(checks), 'check')} failed.", style="red")
        raise typer.Exit(1)


def _door(target: stack.Stack, plan: "Plan", through: Through, clients: Any, client: Any) -> "Door":
    from cli.load import plan as load_plan

    if through is Through.HTTP:
        return load_plan.HttpDoor(client, target.output("orders_url"), target.orders_api_key)
    return load_plan.TopicDoor(clients.sns, target.output("topic_arn"), plan.rate)


def _follow(run: "Run", plan: "Plan") -> None:
    """Show the figures where a person sees them, until the run is at its end."""
    from rich.live import Live
    from rich.text import Text

    if not is_live(err):
        for _ in run.follow():
            pass
        return
    with Live(Text(""), console=err, transient=True, auto_refresh=False) as live:
        for figures in run.follow():
            live.update(Text(_figures_line(figures, plan)), refresh=True)


def _figures_line(figures: "Figures", plan: "Plan") -> str:
    latencies = "  ".join(
        f"p{percent} {seconds:.1f} s"
        for percent in (50, 95, 99)
        if (seconds := figures.latency(percent)) is not None
    )
    return (
        f"Sent {figures.sent:,} of {plan.orders:,}  done {figures.done:,}  "
        f"{figures.per_second:.0f} per second  {latencies}"
    ).rstrip()


def _load_document(run: "Run", plan: "Plan", stopped: bool) -> dict[str, Any]:
    figures, tally = run.figures(), run.tally
    latency = {f"p{percent}": figures.latency(percent) for percent in (50, 95, 99)}
    return {
        "run": plan.run,
        "orders": plan.orders,
        "sent": figures.sent,
        "done": figures.done,
        "duplicates": tally.duplicates,
        "malformed": tally.refused + tally.swallowed,
        "seconds": round(run.seconds, 3),
        "per_second": round(figures.per_second, 1),
        "latency": {name: seconds and round(seconds, 3) for name, seconds in latency.items()}
        | {"sample": len(figures.latencies)},
        "interrupted": stopped,
    }
