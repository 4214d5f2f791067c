"""Moments and stretches of time, as people read and type them."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

# The range of MySQL, less a day for time zones.
EARLIEST, LATEST = datetime(1000, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def duration(seconds: float) -> str:
    """Return a stretch of time in its two largest units, `3 d 4 h`."""
    rest = round(seconds)
    parts: list[str] = []
    for unit, size in UNITS:
        number, rest = divmod(rest, size)
        if number or parts:
            parts.append(f"{number} {unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0 ")) or "0 s"


def moment(text: str) -> datetime:
    """Read a date or a time, in this machine's time zone unless it names one; return it in UTC.

    Raises
    ------
    ValueError
        It is not a date or time, or not between the years 1000 and 9999.
    """
    try:
        found = datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(str(error)) from error
    if not EARLIEST <= found <= LATEST:
        raise ValueError(f"{found.year} is out of range")
    return found


def parsed(text: object) -> datetime | None:
    """Read a time that a program wrote, in UTC unless it says otherwise; None if it is none."""
    try:
        found = datetime.fromisoformat(str(text))
        return moment(str(found if found.tzinfo else found.replace(tzinfo=UTC)))
    except ValueError:
        return None


def spoken(moment: datetime) -> str:
    """Write a time in this machine's zone, and to the second."""
    with suppress(OverflowError, ValueError, OSError):  # a year that this zone does not have
        moment = moment.astimezone()
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def iso(moment: datetime) -> str:
    """Write a time in UTC, to the millisecond, for programs."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ago(moment: datetime) -> timedelta:
    """Tell how long ago a moment was."""
    return datetime.now(UTC) - moment
