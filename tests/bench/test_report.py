"""The report: prices, targets, tables."""

from __future__ import annotations

from typing import Any

import pytest

from bench import money, report, targets
from infra import prices


def figures(**changed: Any) -> dict[str, Any]:
    """Return the figures of a thousand orders in a hundred batches of 10 ms."""
    return {
        "orders": 1000,
        "batch_seconds": [0.01] * 100,
        "write_units": 1700,
        "read_units": 0,
        "calls": {"BatchWriteItem": 100},
        "log_bytes": 100_000,
        "statements": 500,
        "connections": 0,
        "conditions_failed": 0,
        "failed": 0,
        "cpu": 1.0,
        "per_second": 1000.0,
        "median_ms": 10.0,
        "worst_ms": 20.0,
    } | changed


def test_the_cost_of_a_million_orders_follows_from_the_counts_and_prices() -> None:
    costs = money.per_million(figures(), 10, prices.read())
    assert costs == pytest.approx(
        {
            "SNS": 0.50,
            "SQS": 1.2 * 0.40,
            "Lambda": 0.1 * 0.20 + 1000 * 0.5 * 0.0000133334,
            "DynamoDB": 1.7 * 0.625,
            "Secrets Manager": 0,
            "CloudWatch Logs": 0.1 * 0.50,
        }
    )


def test_the_queue_delivers_ten_messages_at_a_time() -> None:
    invocations = [0.01] * 10
    costs = money.per_million(figures(batch_seconds=invocations), 100, prices.read())
    assert costs["SQS"] == pytest.approx(1.2 * 0.40)


def test_prices_have_a_date_and_a_region() -> None:
    table = prices.read()
    assert table.region == "us-east-1"
    assert table.as_of.year >= 2026
    assert all(price > 0 for price in table.by_name.values())


def results(times_earlier: float) -> dict[str, Any]:
    """Return the results of one part."""
    row = {
        "latency": "4 ms",
        "batch": 10,
        "earlier": figures(calls={"GetSecretValue": 100, "UpdateItem": 2000}),
        "ours": figures(),
        "limit": {"per_second": 1100.0},
        "times_earlier": times_earlier,
        "share_of_limit": 0.91,
    }
    rows = [
        row | {"latency": latency, "batch": batch} for latency in ("0 ms", "4 ms") for batch in (10, 88, 1000)
    ]
    about = dict.fromkeys(
        ("date", "revision", "processors", "system", "python", "database", "rounds", "load"), "–"
    )
    return {"about": about, "batches": rows, "counts": True, "money": True}


def test_a_target_is_printed_with_its_figure() -> None:
    first, *_ = report.target_rows(results(12.0))
    assert first == ("one worker, batches of 10, × of the earlier system", "≥ 12 ×", "12 ×", "✓")
    first, *_ = report.target_rows(results(11.9))
    assert first[2:] == ("11.9 ×", "✗")


def test_targets_of_parts_that_were_not_measured_are_left_out() -> None:
    rows = {row[0] for row in report.target_rows(results(12.0))}
    assert rows == {target.what for target in targets.TARGETS if target.part == "batches"}


def test_the_report_has_a_table_of_each_part_that_was_measured() -> None:
    text = report.markdown(results(12.0), prices.read(), ["batches.svg"], "benchmarks")
    assert "![Batches](benchmarks/batches.svg)" in text
    assert "| 4 ms | 10 | 1,000 | 1,000 | 1,100 | **12.0 ×** | 0.91 |" in text
    assert "| ours | 10 | 500 | 0 | 100 | 0 | 1,700 | 1,000 |" in text
    assert "## Cold start" not in text
