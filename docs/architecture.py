"""The README's diagram of the architecture, `docs/architecture.svg`; `make picture` writes it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

FILE = Path(__file__).with_suffix(".svg")
WIDTH, HEIGHT = 1020, 658
NODE_WIDTH, NODE_HEIGHT = 190, 54
# Left edges of the columns: queues, writing functions, stores, reading functions.
QUEUES, WRITERS, STORES, READERS = 84, 328, 572, 816
GAP = WRITERS - QUEUES - NODE_WIDTH

STYLE = """\
svg { --paper: #f6f0e6; --card: #fffdf9; --ink: #2b1f17; --soft: #6b5c50; --edge: #8d7c6d; --accent: #8f4a1c }
@media (prefers-color-scheme: dark) {
svg { --paper: #16110d; --card: #201913; --ink: #f5ebdf; --soft: #b9a99a; --edge: #8b7a6b; --accent: #e8ab73 }
}
text { fill: var(--ink); font: 600 13.5px system-ui, "Segoe UI", Helvetica, Arial, sans-serif }
.note { fill: var(--soft); font-size: 12px; font-weight: 400 }
rect { fill: var(--card); stroke: var(--edge) }
.paper { fill: var(--paper); stroke: none }
.function { stroke: var(--accent); stroke-width: 2 }
.edge { fill: none; stroke: var(--edge); stroke-width: 1.5; marker-end: url(#arrow) }
.both { marker-start: url(#arrow) }
#arrow path { fill: var(--edge) }"""


@dataclass(frozen=True, kw_only=True)
class Node:
    """A box with the name of a resource, or a group of resources, and a line about it."""

    name: str
    note: str
    x: int
    y: int
    kind: str = "function"  # or store, queue
    height: int = NODE_HEIGHT
    parts: tuple[tuple[str, str], ...] = ()  # resources inside a group, each with a line about it


NODES = (
    Node(name="PlaceOrder", note="validates, publishes", x=QUEUES, y=100),
    Node(name="OrderTopic", note="SNS", x=QUEUES, y=192, kind="queue"),
    Node(name="OrderQueue", note="SQS", x=QUEUES, y=284, kind="queue"),
    Node(name="OrderDLQ", note="dead letters", x=QUEUES, y=392, kind="queue"),
    Node(name="OrderSubscriptionDLQ", note="what SNS cannot deliver", x=QUEUES, y=486, kind="queue"),
    Node(name="BackupOrders", note="every six hours", x=WRITERS, y=22),
    Node(name="MigrateDatabase", note="the schema, at a deploy", x=WRITERS, y=140),
    Node(name="OrderProcessor", note="the worker", x=WRITERS, y=284),
    Node(name="ReconcileOrders", note="every minute", x=WRITERS, y=392),
    Node(name="EraseOrders", note="names, every six hours", x=WRITERS, y=486),
    Node(name="orders-backup", note="S3, one CSV file a day", x=STORES, y=22, kind="store"),
    Node(
        name="cafe-db",
        note="MySQL on RDS",
        x=STORES,
        y=112,
        height=226,
        kind="store",
        parts=(
            ("orders", "one row per order"),
            ("order_events", "changes of states"),
            ("counters", "of days, hours, items"),
        ),
    ),
    Node(
        name="DynamoDB",
        note="the projection",
        x=STORES,
        y=362,
        height=256,
        kind="store",
        parts=(
            ("Orders", "one item per order"),
            ("CafeMenu", "items, prices, counters"),
            ("CafeOrderMetrics", "all other counters"),
            ("IdempotencyKeys", "of POST /orders"),
            ("ErasedOrders", "ids without a name"),
        ),
    ),
    Node(name="StaffOrders", note="/kitchen: shows and moves", x=READERS, y=120),
    Node(name="PublicOrders", note="/ready and /track", x=READERS, y=202),
    Node(name="GetOrderStatusLambda", note="/order-status", x=READERS, y=284),
    Node(name="GetMenu", note="menu of /order", x=READERS, y=424),
)


@dataclass(frozen=True, kw_only=True)
class Edge:
    """An arrow in the direction of the data, with a label."""

    path: str  # of SVG
    label: str = ""
    at: tuple[int, int] = (0, 0)  # of the label
    both: bool = False


def _down(top: int, bottom: int, label: str = "") -> Edge:
    middle = QUEUES + NODE_WIDTH // 2
    return Edge(path=f"M{middle},{top} V{bottom}", label=label, at=(middle + 8, (top + bottom) // 2 + 4))


def _across(column: int, y: int, label: str = "", *, both: bool = False) -> Edge:
    """Return an edge from a node of a column to the next column."""
    left = column + NODE_WIDTH
    return Edge(path=f"M{left},{y} H{left + GAP}", label=label, at=(left + 6, y - 7), both=both)


def _bent(column: int, y: int, bend: int, to: int, label: str = "", *, both: bool = False) -> Edge:
    """Return an edge that changes its height on the way to the next column."""
    left = column + NODE_WIDTH
    return Edge(
        path=f"M{left},{y} h{bend} V{to} H{left + GAP}", label=label, at=(left + bend + 4, y + 34), both=both
    )


EDGES = (
    Edge(path=f"M{QUEUES + NODE_WIDTH // 2},40 V100", label="POST /orders", at=(QUEUES + 103, 74)),
    _down(154, 192),
    _down(246, 284),
    _down(338, 392, "after 3 receives"),
    Edge(path=f"M12,219 H{QUEUES}", label="publishers", at=(10, 210)),
    Edge(path=f"M{QUEUES},234 H48 V513 H{QUEUES}"),
    _across(QUEUES, 311),
    _across(QUEUES, 419),
    Edge(path=f"M{STORES},128 H{WRITERS + NODE_WIDTH // 2} V76"),
    _across(WRITERS, 49),
    _across(WRITERS, 167),
    _across(WRITERS, 300, "1."),
    _bent(WRITERS, 324, 34, 378, "2."),
    _across(WRITERS, 432, "repairs", both=True),
    _bent(WRITERS, 406, 18, 330, both=True),
    _across(WRITERS, 524),
    _bent(WRITERS, 500, 8, 318),
    _across(STORES, 147, both=True),
    _across(STORES, 229),
    _across(STORES, 305),
    _bent(STORES, 386, 27, 320),
    _across(STORES, 451),
)

CAPTION = "Thick boxes are Lambda functions; those with a path serve its page by CloudFront and API Gateway."


def svg() -> str:
    """Return the diagram."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        "<title>Architecture: how an order travels from the API to the stores and the pages</title>",
        f"<style>\n{STYLE}\n</style>",
        '<marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7"'
        ' orient="auto-start-reverse"><path d="M0,0 L8,4 L0,8 Z"/></marker>',
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}" rx="14"/>',
        *(line for edge in EDGES for line in _edge(edge)),
        *(line for node in NODES for line in _node(node)),
        _text(CAPTION, WIDTH // 2, HEIGHT - 18, "note", anchor="middle"),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _edge(edge: Edge) -> list[str]:
    lines = [f'<path class="edge{" both" if edge.both else ""}" d="{edge.path}"/>']
    return [*lines, _text(edge.label, *edge.at, "note")] if edge.label else lines


def _node(node: Node) -> list[str]:
    middle = node.x + NODE_WIDTH // 2
    lines = [
        f'<rect class="{node.kind}" x="{node.x}" y="{node.y}"'
        f' width="{NODE_WIDTH}" height="{node.height}" rx="8"/>',
        _text(node.name, middle, node.y + 23, "name", anchor="middle"),
    ]
    if node.note:
        lines.append(_text(node.note, middle, node.y + 42, "note", anchor="middle"))
    for number, (name, note) in enumerate(node.parts):
        top = node.y + 72 + 36 * number
        lines += [_text(name, node.x + 14, top, "name"), _text(note, node.x + 14, top + 15, "note")]
    return lines


def _text(words: str, x: int, y: int, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'


if __name__ == "__main__":
    try:
        FILE.write_text(svg(), encoding="utf-8")
    except OSError as error:
        sys.exit(f"{FILE} cannot be written: {error.strerror}.")
