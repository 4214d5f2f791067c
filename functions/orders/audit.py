"""The audit: every counter against the rows that it counts, as of one moment and under any load."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from orders import counters
from orders.counters import HOURS_KEPT, Group

# The counter with the zone in which days are counted in its name, and since when as its value.
TIME_ZONE = "TIME_ZONE#"
# Until then, functions that ran before the time zone changed may still count by the old one.
CHANGE_LASTS = timedelta(hours=2)


class OutOfTimeError(Exception):
    """The snapshot was not read to its end in the time that there was; the message says how far."""


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
    corrections: int  # of the counter in the snapshot, 0 if it was missing


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All counters, and what the rows add up to, as of one moment."""

    counters: Mapping[str, State]
    expected: Mapping[str, int]
    rows: int
    bad_rows: Collection[int] = ()  # ids of rows that hold no order: the first ones


Tally = Callable[[Iterable[Group]], Mapping[str, int]]


class Store(Protocol):
    """The source of truth (`stores.mysql.audit.AuditDatabase`)."""

    def snapshot(self, tally: Tally, since: datetime, left: Callable[[], float]) -> Snapshot: ...
    def correct(self, differences: Collection[Difference]) -> None: ...
    def note_time_zone(self, name: str, since: int) -> None: ...
    def delete(self, names: Collection[str]) -> None: ...


@dataclass(frozen=True, slots=True)
class AuditResult:
    """Result of an audit."""

    rows: int  # that were summed up
    corrected: Mapping[str, int] = field(default_factory=dict)  # what was added to wrong counters, by name
    recounted: bool = False  # days and hours of them, because the time zone has changed: no drift
    bad_rows: Collection[int] = ()

    @property
    def drift(self) -> int:
        """Return by how many orders the worst counter was wrong."""
        wrong = (
            abs(value)
            for name, value in self.corrected.items()
            if not (self.recounted and counters.is_local(name))
        )
        return max(wrong, default=0)


def audit(store: Store, zone: ZoneInfo, left: Callable[[], float]) -> AuditResult:
    """Make every counter what the rows add up to, while orders keep coming.

    Orders that are counted after the snapshot change neither a difference nor its correction. What was
    corrected before a StoreUnavailableError is; another audit finds the rest. Raises OutOfTimeError, and
    nothing is known, if the table is too large for the time that is left.
    """
    now = datetime.now(UTC)
    # Before it, orders count in no hour: a day earlier, for clocks and time zones that differ.
    since = now - HOURS_KEPT - timedelta(days=1)
    snapshot = store.snapshot(lambda groups: counters.tally_groups(groups, zone, now), since, left)
    found = differences(snapshot, zone, now)
    store.correct(found)
    marker = snapshot.counters.get(time_zone_marker(zone))
    if marker is None:
        store.note_time_zone(time_zone_marker(zone), int(now.timestamp()))
    # A day later than DynamoDB: whoever counts and compares by a clock that is behind finds them still.
    day_ago = now - timedelta(days=1)
    store.delete([name for name in snapshot.counters if counters.is_expired(name, zone, day_ago)])
    return AuditResult(
        rows=snapshot.rows,
        corrected={each.name: each.value for each in found},
        recounted=marker is None or now.timestamp() - marker.value < CHANGE_LASTS.total_seconds(),
        bad_rows=snapshot.bad_rows,
    )


def time_zone_marker(zone: ZoneInfo) -> str:
    """Return the name of the counter that is there once days were counted in a time zone."""
    return TIME_ZONE + zone.key


def differences(snapshot: Snapshot, zone: ZoneInfo, now: datetime) -> list[Difference]:
    """Return which counters are wrong, and by how much; hours that have expired are not compared."""
    names = {name for name in (*snapshot.counters, *snapshot.expected) if not name.startswith(TIME_ZONE)}
    missing = State(0, 0)
    found = []
    for name in sorted(names):
        state = snapshot.counters.get(name, missing)
        value = snapshot.expected.get(name, 0) - state.value
        if value and not counters.is_expired(name, zone, now):
            found.append(Difference(name, value, state.corrections))
    return found
