"""Times and durations, as people read and type them."""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta

# The range of MySQL, less a day for time zones.
EARLIEST, LATEST = datetime(1000, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def duration(length: timedelta | float) -> str:
    """Format a duration, or seconds, in its two largest units, such as `3 d 4 h`; a negative one as 0."""
    rest = round(max(0.0, length.total_seconds() if isinstance(length, timedelta) else length))
    parts: list[str] = []
    for unit, size in UNITS:
        number, rest = divmod(rest, size)
        if number or parts:
            parts.append(f"{number} {unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0 ")) or "0 s"


def parse_local(text: str) -> datetime:
    """Parse a date or time from 1000 to 9999, by default in this machine's time zone; return it in UTC."""
    try:
        found = datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(str(error)) from error
    if not EARLIEST <= found <= LATEST:
        raise ValueError(f"{found.year} is out of range")
    return found


def parse_utc(text: object) -> datetime | None:
    """Parse a time that a program wrote, by default in UTC; return None if it is invalid."""
    try:
        found = datetime.fromisoformat(str(text))
        return parse_local(str(found if found.tzinfo else found.replace(tzinfo=UTC)))
    except ValueError:
        return None


def parse_since(text: str) -> datetime:
    """Parse a time, or how long ago it was, such as `90s`, `15m`, `1h` or `2d`; return it in UTC."""
    if ago := re.fullmatch(r"([0-9]{1,6}) ?(s|m|min|h|d)", text.strip(), re.ASCII):
        return datetime.now(UTC) - timedelta(seconds=int(ago[1]) * (dict(UNITS) | {"m": 60})[ago[2]])
    return parse_local(text)


def local_time(moment: datetime) -> str:
    """Format a time in this machine's zone, to the second."""
    with suppress(OverflowError, ValueError, OSError):  # beyond the years of this zone
        moment = moment.astimezone()
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def age(moment: datetime) -> timedelta:
    """Return the time since a moment."""
    return datetime.now(UTC) - moment
