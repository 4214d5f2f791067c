"""Numbers and times as arguments: they are used, or refused with the option's name."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import typer.main
from hypothesis import given
from hypothesis import strategies as st

from cli import times
from cli.main import app
from orders.times import iso
from tests.cli.conftest import Cafe

NUMBERS = (int, float, int | None, float | None)


def options(command: object, words: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield each numeric option of each command: the command's words and the option."""
    for name, child in getattr(command, "commands", {}).items():
        yield from options(child, (*words, name))
    for parameter in getattr(command, "params", []):
        if parameter.type_descriptor.annotation in NUMBERS:
            yield " ".join(words), parameter.opts[0]


NUMERIC = list(options(typer.main.get_command(app)))
REQUIRED = {"order": ["Tea"], "replay": ["--from", "2026-11-22"], "dlq import": ["letters.jsonl"]}
WRONG = ["nan", "-nan", "inf", "-inf", "1e400", "1e308", "-1", "", "many", "9" * 5000]
# `--quantity` is checked by the API.
UNLIMITED = {"--quantity"}


def test_all_numeric_options_are_found() -> None:
    assert {"--rate", "--count", "--port", "--stall-timeout", "--timeout"} <= {
        option for _, option in NUMERIC
    }


@pytest.mark.parametrize("value", WRONG)
@pytest.mark.parametrize(("command", "option"), NUMERIC)
def test_nan_is_wrong_usage(cafe: Cafe, command: str, option: str, value: str) -> None:
    if option in UNLIMITED and value == "-1":
        return
    result = cafe(*command.split(), *REQUIRED.get(command, []), option, value)

    assert result.exit_code == 2, result.output
    assert f"Invalid value for '{option}'" in result.stderr
    assert "Traceback" not in result.stderr


NO_TIMES = [
    "0001-01-01T00:00+14:00",
    "0001-01-01",
    "0000-01-01",
    "9999-12-31T23:59:59-14:00",
    "9999-12-31",
    "10000-01-01",
    "2016-12-31T23:59:60Z",
    "2026-02-29",
    "14:00",
    "T14:00Z",
    "2026",
    "2026-W60-1",
    "yesterday",
    "1e400",
    "",
    "\N{ARABIC-INDIC DIGIT TWO}" * 4 + "-11-22",
    "2026-11-22T14:00+99:00",
]


@pytest.mark.parametrize("option", ["--from", "--to"])
@pytest.mark.parametrize("text", NO_TIMES)
def test_an_invalid_time_is_wrong_usage(cafe: Cafe, option: str, text: str) -> None:
    if not text and option == "--to":
        return  # like the default
    words = ["--from", "2026-11-22", "--to", text] if option == "--to" else ["--from", text]
    result = cafe("replay", *words)

    assert result.exit_code == 2, result.output
    assert f"Invalid value for {option}: " in result.stderr


def test_a_week_date_is_a_date() -> None:
    assert times.parse_local("2026-W48-4T00:00Z") == datetime(2026, 11, 26, tzinfo=UTC)


@pytest.fixture(params=["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine is in another time zone."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("zone")
def test_every_accepted_time_can_be_shown() -> None:
    for text in ("1000-01-03", "9999-12-29", "9999-12-30T00:00Z", "1000-01-02T00:00Z"):
        text = times.local_time(times.parse_local(text))
        assert text[:2] in ("10", "99", "09")
    assert times.local_time(datetime.max.replace(tzinfo=UTC)).startswith("9999-12-31")


@given(st.text() | st.datetimes(timezones=st.timezones() | st.none()).map(str))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    found = times.parse_utc(text)
    assert found is None or times.parse_utc(iso(found)) is not None
    try:
        moment = times.parse_local(text)
    except ValueError:
        return
    assert 1000 <= moment.year <= 9999
