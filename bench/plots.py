"""The plots of the report, as SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pygal  # type: ignore[import-untyped]
from pygal.style import Style  # type: ignore[import-untyped]

from bench.batches import Figures

# Colours that colour-blind readers can distinguish, and text that is readable on white and black.
STYLE = Style(
    background="white",
    plot_background="white",
    foreground="#333333",
    foreground_strong="#111111",
    foreground_subtle="#777777",
    colors=("#999999", "#0072b2", "#e69f00", "#009e73"),
    font_family="sans-serif",
    label_font_size=14,
    major_label_font_size=14,
    legend_font_size=15,
    title_font_size=18,
    value_font_size=12,
    guide_stroke_color="#dddddd",
    major_guide_stroke_color="#dddddd",
    guide_stroke_dasharray="none",
    major_guide_stroke_dasharray="none",
    opacity=".9",
)
COMMON = {
    "style": STYLE,
    "js": [],  # without an external script
    "width": 800,
    "height": 420,
    "legend_at_bottom": True,
    "margin_right": 40,
    "no_prefix": True,
    "disable_xml_declaration": True,
    "stroke_style": {"width": 2},
}


def draw(results: Mapping[str, Any], directory: Path) -> list[str]:
    """Write a plot of each measured part; return the names of the files."""
    directory.mkdir(parents=True, exist_ok=True)
    plots: dict[str, Callable[[Any], Any]] = {
        "batches": _batches,
        "workers": _workers,
        "status": _status,
        "pipeline": _memory,
    }
    written = []
    for part, plot in plots.items():
        if part in results:
            plot(results[part]).render_to_file(str(directory / f"{part}.svg"))
            written.append(f"{part}.svg")
    return written


def _batches(rows: Sequence[Figures]) -> Any:
    rows = [row for row in rows if row["latency"] == "4 ms"]
    chart = pygal.Bar(
        title="Orders a second, one worker, DynamoDB at 4 ms",
        logarithmic=True,
        x_title="batch size",
        **COMMON,
    )
    chart.x_labels = [str(row["batch"]) for row in rows]
    for title, name in (("the earlier system", "earlier"), ("ours", "ours"), ("the limit", "limit")):
        chart.add(title, [round(row[name]["per_second"], 1) for row in rows])
    _powers_of_ten(chart, [row[name]["per_second"] for row in rows for name in ("earlier", "limit", "ours")])
    return chart


def _workers(rows: Sequence[Figures]) -> Any:
    rows = [row for row in rows if row["latency"] == "4 ms"]
    chart = pygal.XY(title="Workers at once, × of one, DynamoDB at 4 ms", x_title="workers", **COMMON)
    counts = sorted({row["workers"] for row in rows})
    chart.x_labels = counts
    chart.add("as many times", [(count, count) for count in counts], stroke_style={"dasharray": "4, 6"})
    for size in sorted({row["batch"] for row in rows}):
        points = [(row["workers"], round(row["ratio"], 2)) for row in rows if row["batch"] == size]
        chart.add(f"batches of {size}", points)
    return chart


def _status(found: Mapping[str, Sequence[Figures]]) -> Any:
    rows = found["by_day"]
    chart = pygal.Line(title="Order status, p50 in ms", logarithmic=True, x_title="orders a day", **COMMON)
    chart.x_labels = [f"{row['per_day']:,}" for row in rows]
    for title, name in (("the earlier system", "earlier"), ("ours", "ours")):
        chart.add(title, [round(row[name]["p50_ms"], 2) for row in rows])
    _powers_of_ten(chart, [row[name]["p50_ms"] for row in rows for name in ("earlier", "ours")])
    return chart


def _powers_of_ten(chart: Any, values: Sequence[float]) -> None:
    """Draw a logarithmic axis that begins and ends at powers of ten."""
    first, last = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    chart.y_labels = [10.0**power for power in range(first, last + 1)]
    chart.range = (10.0**first, 10.0**last)
    chart.zero = 10.0**first  # where bars begin
    chart.value_formatter = lambda value: f"{value:,g}"


def _memory(found: Mapping[str, Figures]) -> Any:
    samples = found["steady"]["memory"]
    chart = pygal.XY(
        title=f"Memory in MiB over {found['steady']['orders']:,} orders",
        x_title="seconds",
        show_dots=False,
        range=(0, 1.2 * max(whole for _, whole, _ in samples)),
        **COMMON,
    )
    chart.add("the whole local stack", [(round(at), round(whole)) for at, whole, _ in samples])
    chart.add("the workers", [(round(at), round(worker)) for at, _, worker in samples])
    return chart
