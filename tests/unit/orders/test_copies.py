"""The files of copies: their contents for any CSV reader, and when they are written again."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orders import copies
from orders.copies import Day
from tests.unit.copied_files import MARKED, original, read

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TODAY = NOON.date()
RUNBOOK = Path(__file__).parents[3] / "docs" / "runbook.md"
ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
HOSTILE = st.text(st.sampled_from("=+-@'＝;,\t\r\n \"\\a1é☕\x00\u2028"), max_size=12)


def written(columns: Sequence[str], *rows: Sequence[Any]) -> list[list[str]]:
    return read(b"".join(copies.compressed(columns, rows)))


@given(st.lists(st.tuples(ANY_TEXT | HOSTILE | st.none(), HOSTILE | st.none()), max_size=5))
def test_any_text_and_null_are_read_back_unchanged(rows: list[tuple[str | None, str | None]]) -> None:
    head, *found = written(["item", "customer_name"], *rows)
    assert head == ["item", "customer_name"]
    assert [tuple(map(original, row)) for row in found] == rows


def test_the_code_in_the_runbook_reads_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = re.findall(r"^```python\n(.*?)^```", RUNBOOK.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert MARKED.pattern in lines[0]
    attributes = {"note": "; =1+1", "long": "x" * 200_000}
    rows: list[list[str | None]] = [
        ["o1", "=1+1", json.dumps(attributes)],
        ["-2", "", None],
        ["o3", None, '{"n": 5}'],
        ["o4", "'x\r\n+y", "{}"],
    ]
    content = b"".join(copies.compressed(["order_id", "customer_name", "attributes"], rows))
    (tmp_path / "2026-11-22.csv.gz").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {}
    limit = csv.field_size_limit()
    exec(lines[0], found)  # noqa: S102
    csv.field_size_limit(limit)
    assert [list(order.values()) for order in found["orders"]] == [
        ["o1", "=1+1", attributes],
        ["-2", "", {}],
        ["o3", None, {"n": 5}],
        ["o4", "'x\r\n+y", {}],
    ]


@given(ANY_TEXT | HOSTILE)
@example(';"=1+1;')
@example('\n"=1+1\n')
@example('; ""\u2028"@SUM(A1)')
def test_no_text_begins_a_formula_in_any_cell_of_a_spreadsheet(text: str) -> None:
    """Spreadsheets in many locales separate cells by semicolons, and then parse quotes differently."""
    file = gzip.decompress(b"".join(copies.compressed(["id", "item"], [[5, text]]))).decode()
    parts = re.split("[;\t\r\n]", copies.field(text))
    for delimiter in ",;\t":
        for row in csv.reader(io.StringIO(file, newline=""), delimiter=delimiter):
            parts += row
    for part in parts:
        assert not part.lstrip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("Flat - white = 2+2; hi@cafe", "Flat - white = 2+2; hi@cafe"),
        ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'),
        ("x;=1+1", "x;'=1+1"),
        ('x; "=1+1', "x; \"'=1+1"),
        ("  @SUM(A1)", "  '@SUM(A1)"),
        ("'quoted'", "''quoted'"),
        ("", "'"),
        ('{"note": "; -5", "tip": 0.10}', '{"note": "; \'-5", "tip": 0.10}'),
    ],
)
def test_only_formulas_are_escaped(text: str, cell: str) -> None:
    assert copies.field(text) == cell
    assert original(cell) == text


def test_a_file_has_the_name_of_its_day() -> None:
    names = [copies.key(day) for day in (date(2026, 11, 22), None)]
    assert names == ["orders/2026-11-22.csv.gz", "orders/undated.csv.gz"]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (-5, "-5"),
        (2**63, "9223372036854775808"),
        (Decimal("-1E-30"), "-0.000000000000000000000000000001"),
        (Decimal("12345678901234567890123456789.10"), "12345678901234567890123456789.10"),
        (NOON.replace(microsecond=4000, tzinfo=None), "2026-11-22T12:00:00.004Z"),
        (datetime(2026, 11, 22, 1, 2, 3, 4567), "2026-11-22T01:02:03.004567Z"),  # noqa: DTZ001
        ("0000-00-00 00:00:00.000", "0000-00-00 00:00:00.000"),
        (date(2026, 11, 22), "2026-11-22"),
        (b"\x00=\xff", "003dff"),
    ],
)
def test_numbers_are_exact_and_times_are_in_utc(value: object, cell: str) -> None:
    assert written(["x", "y"], [value, 0])[1] == [cell, "0"]


def test_a_long_file_is_compressed_in_pieces_and_deterministically() -> None:
    rows = [[number, f"item {number}" * 20] for number in range(2000)]
    pieces = list(copies.compressed(["id", "item"], rows))
    assert len(pieces) > 3
    assert b"".join(pieces) == b"".join(copies.compressed(["id", "item"], rows))
    assert read(b"".join(pieces))[-1] == ["1999", "item 1999" * 20]


def ago(**time: float) -> datetime:
    return NOON - timedelta(**time)


def due(
    days: Sequence[Day],
    changed: dict[Day, datetime],
    written: dict[Day, datetime],
    rewrite: datetime | None = None,
) -> list[Day]:
    return copies.due(days, changed, {copies.key(d): at for d, at in written.items()}, rewrite)


def test_days_without_a_file_are_due_latest_first() -> None:
    first, second = TODAY - timedelta(2), TODAY - timedelta(1)
    assert due([first, second, TODAY, None], {}, {second: ago(days=9)}) == [TODAY, first, None]


def test_a_day_is_due_again_when_its_rows_changed_after_the_file_or_shortly_before() -> None:
    changed: dict[Day, datetime] = {TODAY: ago(hours=3)}
    assert due([TODAY], changed, {TODAY: ago(hours=4)}) == [TODAY]
    # Their transaction may have been committed after the rows were read.
    assert due([TODAY], changed, {TODAY: ago(hours=2, seconds=1)}) == [TODAY]
    assert due([TODAY], changed, {TODAY: ago(hours=2)}) == []
    assert due([None], {None: ago(hours=3)}, {None: ago(hours=4)}) == [None]


def test_a_change_of_a_day_whose_copy_has_expired_is_ignored() -> None:
    assert due([TODAY], {date(2020, 1, 1): NOON}, {TODAY: NOON}) == []


def test_all_files_older_than_a_time_can_be_written_again() -> None:
    assert due([TODAY], {}, {TODAY: ago(hours=1)}, rewrite=NOON) == [TODAY]
    assert due([TODAY], {}, {TODAY: NOON}, rewrite=NOON) == []
