"""Audit: compare every counter with the rows that it counts, in one snapshot, under any load."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from orders import counters
from orders.counters import HOURS_KEPT, Group

# Prefix of a row of `counters` that names the time zone in which days are counted; its value is the start, in
# seconds since 1970.
TIME_ZONE = "TIME_ZONE#"
MARKERS = (TIME_ZONE, counters.ERASED_UNTIL)  # prefixes of rows that count nothing
# Functions that started before a change of the time zone may use the old one for this long.
CHANGE_LASTS = timedelta(hours=2)


class OutOfTimeError(Exception):
    """Time was up before the whole snapshot was read; the text has the number of rows that were read."""


@dataclass(frozen=True, slots=True)
class State:
    """A counter in a snapshot."""

    value: int
    corrections: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Difference of a counter from the rows of the same snapshot."""

    name: str
    value: int  # to be added to the counter
    corrections: int  # of the counter in the snapshot; 0 for a missing one


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All counters, and the sums of the rows, as of one moment."""

    counters: Mapping[str, State]
    expected: Mapping[str, int]
    rows: int
    bad_rows: Collection[int] = ()  # ids of the first rows without a valid order


Tally = Callable[[Iterable[Group]], Mapping[str, int]]


class Database(Protocol):
    """The source of truth (`stores.mysql.audit.AuditDatabase`)."""

    def snapshot(self, tally: Tally, since: datetime, seconds_left: Callable[[], float]) -> Snapshot: ...
    def correct(self, differences: Collection[Difference]) -> None: ...
    def note_time_zone(self, name: str, since: int) -> None: ...
    def delete(self, names: Collection[str]) -> None: ...


@dataclass(frozen=True, slots=True)
class AuditResult:
    """Result of an audit."""

    rows: int  # that were summed up
    corrected: Mapping[str, int] = field(default_factory=dict)  # what was added to wrong counters, by name
    recounted: bool = False  # the time zone changed, so corrections of days and hours are not drift
    bad_rows: Collection[int] = ()

    @property
    def drift(self) -> int:
        """Return the largest correction, in orders."""
        wrong = (
            abs(value)
            for name, value in self.corrected.items()
            if not (self.recounted and counters.is_local(name))
        )
        return max(wrong, default=0)


def audit(database: Database, zone: ZoneInfo, seconds_left: Callable[[], float]) -> AuditResult:
    """Correct every counter to the sum of its rows, while orders come in.

    Orders that are counted after the snapshot affect neither a difference nor its correction. Corrections
    that are made before a StoreUnavailableError stay; another audit makes the rest. Raises OutOfTimeError,
    without a result, if the table is too large for the time that is left.
    """
    now = datetime.now(UTC)
    # Older orders count in no hour; a day more for differences between clocks and time zones.
    since = now - HOURS_KEPT - timedelta(days=1)
    snapshot = database.snapshot(lambda groups: counters.tally_groups(groups, zone, now), since, seconds_left)
    found = differences(snapshot, zone, now)
    database.correct(found)
    marker = snapshot.counters.get(time_zone_marker(zone))
    if marker is None:
        database.note_time_zone(time_zone_marker(zone), int(now.timestamp()))
    # A day later than DynamoDB, for functions whose clocks are behind.
    day_ago = now - timedelta(days=1)
    database.delete([name for name in snapshot.counters if counters.is_expired(name, zone, day_ago)])
    return AuditResult(
        rows=snapshot.rows,
        corrected={each.name: each.value for each in found},
        recounted=marker is None or now.timestamp() - marker.value < CHANGE_LASTS.total_seconds(),
        bad_rows=snapshot.bad_rows,
    )


def time_zone_marker(zone: ZoneInfo) -> str:
    """Return the name of the counter that exists once days are counted in a time zone."""
    return TIME_ZONE + zone.key


def differences(snapshot: Snapshot, zone: ZoneInfo, now: datetime) -> list[Difference]:
    """Return the differences of all counters that have not expired."""
    names = {name for name in (*snapshot.counters, *snapshot.expected) if not name.startswith(MARKERS)}
    missing = State(0, 0)
    found = []
    for name in sorted(names):
        state = snapshot.counters.get(name, missing)
        value = snapshot.expected.get(name, 0) - state.value
        if value and not counters.is_expired(name, zone, now):
            found.append(Difference(name, value, state.corrections))
    return found
