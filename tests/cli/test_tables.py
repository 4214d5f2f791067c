"""Output in terminals of any width, and in limited ones."""

from __future__ import annotations

import io
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
import typer.rich_utils
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from cli import main, terminal
from cli.dlq import render
from cli.dlq.states import Kind as StateKind
from cli.dlq.states import State
from cli.main import app
from cli.messages import Message
from cli.tables import Kind, Table
from tests.cli.conftest import Cafe
from tests.cli.stand_in import FakeApi, Reply

WORDS = st.text(st.characters(categories=["Lu", "Ll", "Nd"], max_codepoint=0x2FF), max_size=60)
COLUMNS = {"Time": Kind.WHOLE, "Customer": Kind.NAME, "Quantity": Kind.NUMBER, "Reason and body": Kind.NAME}
STATUS = {
    "metrics": [{"metric": "TOTAL_ORDERS", "count": 1_234_567}],
    "recent_orders": [
        {
            "order_id": "7f4df1a3",
            "customer_name": "Zoë ✓",
            "item": "Latte",
            "quantity": 2,
            "created_at": "2026-11-26T06:00:00Z",
        }
    ],
    "top_items": [{"item": "Latte", "quantity": 12_345}],
}


def printed(table: object, width: int) -> str:
    """Return the output in a terminal of so many columns."""
    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False, emoji=False)
    console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


@given(st.lists(st.tuples(WORDS, WORDS, WORDS, WORDS), max_size=3), st.integers(1, 200))
def test_no_character_of_a_table_is_lost_at_any_width(rows: list[tuple[str, ...]], width: int) -> None:
    table = Table("Title", COLUMNS)
    for row in rows:
        table.add_row(*row)

    text = printed(table, width)

    wanted = Counter("".join(("Title", *(cell for row in rows for cell in row))))
    if rows:
        wanted += Counter("".join(COLUMNS))
    wanted.pop(" ", None)
    assert not wanted - Counter(text)
    assert all(len(line) <= width for line in text.splitlines())


@pytest.mark.parametrize("width", range(1, 161))
def test_numbers_and_times_are_not_wrapped_in_a_table(width: int) -> None:
    table = Table("Title", COLUMNS)
    table.add_row("2026-11-26 06:00:00", "Ada Lovelace, Countess", "1,234,567", "x" * 100)

    text = printed(table, width)

    if "━" in text:
        assert "2026-11-26 06:00:00" in text
        assert "1,234,567" in text
    else:
        assert "Quantity:1,234,567" in "".join(text.split())


@pytest.mark.parametrize("width", [1, 2, 20, 40, 60, 80, 120])
def test_the_list_of_dead_letters_has_all_its_columns_at_any_width(width: int) -> None:
    message = Message(
        message_id="8f14e45f-aaaa", body='{"item": "Tea", "quantity": 0}', sent_at=0, receives=3
    )

    states = {message.message_id: State(kind=StateKind.INVALID, reason=message.reason)}

    text = "".join(printed(render.table([message], width, states), width).split())

    assert all(word in text for word in ("Message", "Age", "Receives", "8f14e45f"))
    assert width >= 60 or "quantitymustbeanintegerfrom1to1000." in text


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("40", 40),
        ("1", 1),
        ("0", 160),
        ("-5", 160),
        ("abc", 160),
        ("", 160),
        ("9" * 5000, 160),
        ("1000000", 1000),
    ],
)
def test_columns_counts_if_it_is_a_positive_number(
    columns: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "__stdout__", None)

    assert terminal.width(None, 160) == expected


@pytest.mark.parametrize(("term", "live"), [("xterm", True), ("dumb", False), ("unknown", False)])
def test_a_dumb_terminal_gets_lines_instead_of_bars(term: str, live: bool) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": term})
    assert terminal.is_live(console) is live


def commands(command: object, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the arguments of every command in the help."""
    yield words
    for name, child in getattr(command, "commands", {}).items():
        if not child.hidden:
            yield from commands(child, (*words, name))


@pytest.mark.parametrize("words", list(commands(typer.main.get_command(app))), ids=" ".join)
def test_no_option_is_cut_in_the_narrowest_help(
    cafe: Cafe, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typer.rich_utils, "MAX_WIDTH", main.HELP_WIDTH)

    result = cafe(*words, "--help")

    assert result.exit_code == 0
    assert "…" not in result.stdout


ASCII_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
PROGRAM = Path(sys.executable).with_name("cafe")


def run(line: str, directory: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command with the installed `cafe`, in an otherwise empty environment."""
    return subprocess.run(
        ["/bin/sh", "-c", line.replace("cafe", str(PROGRAM))],
        env={"PATH": "/usr/bin:/bin", "CAFE_LOCAL_DIRECTORY": str(directory), **variables},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.parametrize(
    ("line", "variables"),
    [
        ("cafe status", {"PYTHONIOENCODING": "ascii:strict", "COLUMNS": "abc", "TERMINAL_WIDTH": "abc"}),
        ("cafe status", {**ASCII_LOCALE, "COLUMNS": "0"}),
        ("cafe status", {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "40"}),
        ("cafe status", {"FORCE_COLOR": "1", "COLUMNS": "1"}),
        ("cafe status | head -1", {}),
        ("cafe status >&- 2>&- <&-", {}),
        ("cafe --help | head -1", {"COLUMNS": "1"}),
        ("cafe order Tea --customer 'Zoë ✓' --json", {"PYTHONIOENCODING": "ascii:strict"}),
        (
            "cafe order 'Café' --customer 'Zoë ✓'",
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        ),
        ("cafe status --json", {"PYTHONOPTIMIZE": "2", "PYTHONSAFEPATH": "1", "PYTHONDEVMODE": "1"}),
    ],
)
def test_every_kind_of_terminal_works(
    api: FakeApi, local_stack: Path, line: str, variables: dict[str, str]
) -> None:
    api.status = Reply(body=STATUS)

    process = run(line, local_stack, **variables)

    assert process.returncode == 0, process.stdout + process.stderr
    assert "Traceback" not in process.stderr
    assert "Error" not in process.stderr
    assert [order.body["customer_name"] for order in api.orders] == ["Zoë ✓"] * ("order" in line)
    if line == "cafe status":
        assert "2026-11-26 06:00:00" in process.stdout or variables["COLUMNS"] == "1"
