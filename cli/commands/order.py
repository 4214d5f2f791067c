"""`cafe order`: place orders."""

from typing import Annotated

import typer

from cli import http
from cli.options import MOST, Target, commands, stack_command, text
from cli.plurals import orders, were
from cli.progress import counting
from cli.stopping import stopping
from cli.terminal import failed, plain, print_json, say, stopped
from cli.traffic.client import Order, OrderClient
from cli.traffic.send import CONNECTIONS, Placed, place_many


@stack_command(
    commands,
    "order",
    "cafe order Latte",
    'cafe order "Flat White" --quantity 2 --customer Ada',
    "cafe order Coffee --count 1000",
    "cafe order Tea --stack dev --json",
)
def order_command(
    target: Target,
    item: Annotated[
        str, typer.Argument(metavar="ITEM", callback=text, help="What to order, 1 to 100 characters.")
    ],
    quantity: Annotated[int, typer.Option(help="How many pieces, 1 to 1000.")] = 1,
    customer: Annotated[
        str | None, typer.Option(callback=text, help="The customer's name; default: Guest.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=MOST, help="How many such orders to place.")] = 1,
) -> None:
    """Place an order, or many equal ones.

    An order that the API does not accept at once is retried for up to a minute, and never becomes two.
    Exit code 1: the API did not accept all of them.
    """
    url = target.output("orders_url")
    order = Order(item=item, quantity=quantity, customer_name=customer)
    with (
        http.client(target.stack.endpoint, CONNECTIONS) as connections,
        counting("Sent", count) as advance,
        stopping() as stop,
    ):
        client = OrderClient(connections, url, api_key=target.stack.orders_api_key)
        placed = place_many(client, order, count, stop, lambda: advance(1))
    if target.as_json:
        print_json({"requested": count} | _document(placed))
    elif count == 1 and placed.accepted:
        say(f"Order accepted: {plain(placed.order_ids[0])}")
    elif placed.accepted:
        say(
            f"{placed.accepted:,} of {orders(count)} accepted in {placed.seconds:.1f} s "
            f"({placed.accepted / placed.seconds:.0f} per second)"
        )
    if placed.interrupted:
        raise stopped(
            f"Stopped: {placed.accepted:,} of {orders(count)} {were(count)} accepted, no more were sent."
        )
    if placed.problem is not None:
        raise failed(str(placed.problem), placed.problem.exit_code)


def _document(placed: Placed) -> dict[str, object]:
    document: dict[str, object] = {
        "accepted": placed.accepted,
        "order_ids": placed.order_ids,
        "seconds": round(placed.seconds, 3),
        "interrupted": placed.interrupted,
    }
    if placed.problem is not None:
        document["error"] = str(placed.problem)
        document["errors"] = getattr(placed.problem, "fields", {})
    return document
