"""`cafe load`: place many orders, and audit the result."""

from contextlib import nullcontext
from enum import StrEnum
from typing import Annotated, Any

import typer

from cli import http, plurals
from cli.kitchen import Kitchen
from cli.load.audit import Audit, Tally
from cli.load.kitchen import playing
from cli.load.plan import Plan
from cli.load.run import Figures, Run
from cli.options import DAY, MOST, Target, Yes, commands, finite, rate_option, stack_command
from cli.progress import updating
from cli.stopping import stopping
from cli.terminal import confirm, failed, print_json, say, stopped
from cli.traffic.entrances import senders
from cli.traffic.plan import Entrance


class Through(StrEnum):
    """The entrances of a load."""

    HTTP = "http"
    TOPIC = "topic"


# Concurrent requests, and the rate per second that each of them allows.
WORKERS = {Through.HTTP: 8, Through.TOPIC: 4}
MOST_WORKERS = 64
PER_WORKER = {Through.HTTP: 10, Through.TOPIC: 100}
KITCHEN_RATE = 0.25  # orders a second that a small kitchen can make
LATENCIES = (50, 95, 99)  # percentiles

Percent = Annotated[
    float, typer.Option(min=0, max=100, callback=finite, help="Percent of the orders, in addition.")
]


@stack_command(
    commands,
    "load",
    "cafe load --orders 1000",
    "cafe load --orders 10000 --rate 200 --duplicates 10 --malformed 1 --through topic",
    "cafe load --orders 100 --kitchen",
)
def load_command(
    target: Target,
    orders: Annotated[int, typer.Option(min=1, max=MOST, help="How many orders.")] = 1000,
    rate: Annotated[float | None, rate_option("Orders")] = None,
    duplicates: Percent = 0,
    malformed: Percent = 0,
    through: Annotated[Through, typer.Option(help="The API, or the topic.")] = Through.HTTP,
    stall_timeout: Annotated[
        float,
        typer.Option(
            "--stall-timeout",
            min=0.1,
            max=DAY,
            callback=finite,
            help="Seconds without progress after which the run ends.",
        ),
    ] = 60,
    patience: Annotated[
        float | None,
        typer.Option(min=0.1, max=DAY, callback=finite, hidden=True, help="The old name of --stall-timeout."),
    ] = None,
    kitchen: Annotated[
        bool,
        typer.Option(
            "--kitchen",
            help="Show the orders on the screens, and make them: one every 4 s without --rate.",
        ),
    ] = False,
    yes: Yes = False,
) -> None:
    """Place many orders, wait until they are recorded, and check that each was counted exactly once.

    They stay in the stack's counts. Their items are “Load test 1” to “3”, and no screen shows them; with
    --kitchen, they are drinks that are prepared, made ready and collected at a human pace. Latency is the
    time from before an order is sent until both stores have it, to a tenth of a second, for a sample. Exit
    code 1: a check failed.
    """
    stack = target.stack
    if stack.endpoint is None:
        where = " and on its screens" if kitchen else ""
        confirm(f"Place {orders:,} test orders in stack {stack.name}, for good{where}?", yes=yes)
    if kitchen and rate is None:
        rate = KITCHEN_RATE
    plan = Plan(
        orders=orders,
        duplicates=duplicates,
        malformed=malformed,
        kitchen=kitchen,
        entrance=Entrance(through),
    )
    workers = min(MOST_WORKERS, max(WORKERS[through], round((rate or 0) / PER_WORKER[through])))
    with http.client(stack.endpoint, workers) as client, stopping() as stop:
        tally = Tally()
        audit = Audit(stack, target.clients, plan, tally)
        run = Run(plan, audit, tally, stop=stop, stall_timeout=patience or stall_timeout)
        with (
            playing(Kitchen.of(stack, target.clients), tally.numbers, stop) if kitchen else nullcontext(),
            updating() as show,
        ):
            run.follow(
                senders(stack, target.clients, client, rate),
                lambda figures: show(_figures_line(figures, plan)),
                workers=workers,
                rate=rate,
            )
        interrupted = stop.is_set()
        checks = [] if interrupted else list(audit.checks())
    figures = run.figures()
    if target.as_json:
        document = _load_document(run, plan, tally, interrupted)
        print_json(document | {"checks": [check.document() for check in checks]})
    else:
        say(_figures_line(figures, plan))
        for check in checks:
            say(check.line, style=check.style)
    if interrupted:
        raise stopped(
            f"Stopped: {figures.sent:,} of {plurals.orders(plan.orders)} {plurals.were(plan.orders)} sent; "
            "they are still recorded."
        )
    if failures := sum(not check.ok for check in checks):
        raise failed(f"{failures} of {plurals.counted(len(checks), 'check')} failed.")


def _figures_line(figures: Figures, plan: Plan) -> str:
    latencies = "  ".join(
        f"p{percent} {seconds:.1f} s"
        for percent in LATENCIES
        if (seconds := figures.latency(percent)) is not None
    )
    return (
        f"Sent {figures.sent:,} of {plan.orders:,}  done {figures.done:,}  "
        f"{figures.per_second:.0f} per second  {latencies}"
    ).rstrip()


def _load_document(run: Run, plan: Plan, tally: Tally, interrupted: bool) -> dict[str, Any]:
    figures = run.figures()
    latency = {f"p{percent}": figures.latency(percent) for percent in LATENCIES}
    return {
        "run": plan.run,
        "orders": plan.orders,
        "sent": figures.sent,
        "done": figures.done,
        "duplicates": tally.duplicates,
        "malformed": tally.refused + tally.undetected,
        "seconds": round(run.seconds, 3),
        "per_second": round(figures.per_second, 1),
        "latency": {name: seconds and round(seconds, 3) for name, seconds in latency.items()}
        | {"sample": len(figures.latencies)},
        "interrupted": interrupted,
    }
