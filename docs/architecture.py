"""The README's diagram of the architecture, `docs/architecture.svg`; `make picture` writes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

FILE = Path(__file__).with_suffix(".svg")
WIDTH, HEIGHT = 1092, 622
NODE_WIDTH, NODE_HEIGHT, PAGE_WIDTH, PAGE_HEIGHT = 176, 54, 116, 36
# Left edges of the columns: queues, writing functions, stores, reading functions, pages.
QUEUES, WRITERS, STORES, READERS, PAGES = 90, 310, 530, 750, 966

STYLE = """\
svg { --paper: #f6f0e6; --card: #fffdf9; --ink: #2b1f17; --soft: #6b5c50; --edge: #8d7c6d; --accent: #8f4a1c }
@media (prefers-color-scheme: dark) {
svg { --paper: #16110d; --card: #201913; --ink: #f5ebdf; --soft: #b9a99a; --edge: #8b7a6b; --accent: #e8ab73 }
}
text { fill: var(--ink); font: 600 14.5px system-ui, "Segoe UI", Helvetica, Arial, sans-serif }
.note { fill: var(--soft); font-size: 12.5px; font-weight: 400 }
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
    kind: str = "function"  # or store, queue, page
    width: int = NODE_WIDTH
    height: int = NODE_HEIGHT
    parts: tuple[tuple[str, str], ...] = ()  # resources inside a group, each with a line about it


def _page(name: str, y: int, x: int = PAGES) -> Node:
    return Node(name=name, note="", x=x, y=y, kind="page", width=PAGE_WIDTH, height=PAGE_HEIGHT)


NODES = (
    _page("/order", 22, QUEUES + (NODE_WIDTH - PAGE_WIDTH) // 2),
    Node(name="PlaceOrder", note="validates, publishes", x=QUEUES, y=100),
    Node(name="OrderTopic", note="SNS", x=QUEUES, y=192, kind="queue"),
    Node(name="OrderQueue", note="SQS", x=QUEUES, y=284, kind="queue"),
    Node(name="OrderDLQ", note="dead letters", x=QUEUES, y=392, kind="queue"),
    Node(name="OrderSubscriptionDLQ", note="what SNS cannot deliver", x=QUEUES, y=486, kind="queue"),
    Node(name="BackupOrders", note="every six hours", x=WRITERS, y=22),
    Node(name="MigrateDatabase", note="at a deploy", x=WRITERS, y=140),
    Node(name="OrderProcessor", note="the worker, batches of 10", x=WRITERS, y=284),
    Node(name="ReconcileOrders", note="every minute", x=WRITERS, y=392),
    Node(name="orders-backup", note="S3, one CSV file a day", x=STORES, y=22, kind="store"),
    Node(
        name="cafe-db",
        note="MySQL on RDS, counts",
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
        height=220,
        kind="store",
        parts=(
            ("Orders", "one item per order"),
            ("CafeMenu", "counters and prices of items"),
            ("CafeOrderMetrics", "all other counters"),
            ("IdempotencyKeys", "of POST /orders, for a day"),
        ),
    ),
    Node(name="StaffOrders", note="moves orders", x=READERS, y=120),
    Node(name="PublicOrders", note="pickup numbers", x=READERS, y=202),
    Node(name="GetOrderStatusLambda", note="and the queues' depths", x=READERS, y=284),
    Node(name="GetMenu", note="items and prices", x=READERS, y=424),
    _page("/kitchen", 129),
    _page("/ready", 190),
    _page("/track", 234),
    _page("/order-status", 293),
    _page("/order", 433),
)


@dataclass(frozen=True, kw_only=True)
class Edge:
    """An arrow along the way of the data, with a label."""

    path: str  # of SVG
    label: str = ""
    at: tuple[int, int] = (0, 0)  # of the label
    both: bool = False


def _down(top: int, bottom: int, label: str = "") -> Edge:
    middle = QUEUES + NODE_WIDTH // 2
    return Edge(path=f"M{middle},{top} V{bottom}", label=label, at=(middle + 8, (top + bottom) // 2 + 4))


EDGES = (
    _down(58, 100, "POST /orders"),
    _down(154, 192),
    _down(246, 284),
    _down(338, 392, "after 3 receives"),
    Edge(path="M12,219 H90", label="publishers", at=(14, 210)),
    Edge(path="M90,234 H52 V513 H90"),
    Edge(path="M266,311 H310"),
    Edge(path="M266,419 H310"),
    Edge(path="M530,128 H398 V76"),
    Edge(path="M486,49 H530"),
    Edge(path="M486,167 H530", label="schema", at=(488, 160)),
    Edge(path="M486,300 H530", label="first", at=(493, 293)),
    Edge(path="M486,324 H514 V378 H530", label="then", at=(488, 356)),
    Edge(path="M486,432 H530", both=True, label="repairs", at=(488, 450)),
    Edge(path="M486,406 H502 V330 H530", both=True),
    Edge(path="M706,147 H750", both=True),
    Edge(path="M706,229 H750"),
    Edge(path="M706,305 H750"),
    Edge(path="M706,386 H728 V320 H750"),
    Edge(path="M706,451 H750"),
    Edge(path="M926,147 H966", both=True),
    Edge(path="M926,222 H946 V208 H966"),
    Edge(path="M926,236 H946 V252 H966"),
    Edge(path="M926,311 H966"),
    Edge(path="M926,451 H966"),
)

CAPTION = (
    "Thick boxes are Lambda functions. Pages and API share one origin: CloudFront, before S3 and API Gateway."
)


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
    middle = node.x + node.width // 2
    radius = node.height // 2 if node.kind == "page" else 8
    lines = [
        f'<rect class="{node.kind}" x="{node.x}" y="{node.y}"'
        f' width="{node.width}" height="{node.height}" rx="{radius}"/>',
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
    FILE.write_text(svg(), encoding="utf-8")
