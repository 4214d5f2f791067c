"""The rules by which an order moves from state to state."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders import states
from orders.states import (
    CLOSED,
    LETTERS,
    OPEN,
    RESTORED,
    Change,
    ManagerNeededError,
    MoveError,
    NotAllowedError,
    Progress,
    ReasonNeededError,
    Role,
    State,
    pickup_number,
)

NOW = datetime(2026, 11, 26, 14, 0, 0, 123456, UTC)
RECEIVED, PREPARING, READY, COLLECTED, CANCELLED = State
FORWARD = {
    RECEIVED: {PREPARING, READY, COLLECTED},
    PREPARING: {READY, COLLECTED},
    READY: {COLLECTED},
    COLLECTED: set[State](),
    CANCELLED: set[State](),
}


def at(state: State, latest: Change | None = None) -> tuple[Progress, Change | None]:
    """Return an order in a state, and its latest change."""
    return Progress(state, 7, NOW), latest


def moved(progress: Progress, target: State, now: datetime = NOW) -> Progress:
    return states.after(progress, states.next_change(progress, target, now, "ada"))


def change(came_from: State, to: State, ago: timedelta = timedelta(0), actor: str = "ada") -> Change:
    return Change(7, came_from, to, NOW - ago, actor)


def check(state: State, target: State, role: Role = Role.STAFF, reason: str | None = None) -> None:
    states.check(*at(state), target, role, reason, NOW)


def test_staff_move_an_order_forward_and_may_skip_states() -> None:
    for state, target in itertools.product(State, State):
        if target in FORWARD[state]:
            check(state, target)
        elif target is not CANCELLED:
            with pytest.raises(NotAllowedError, match=f"that is {state} cannot become {target}"):
                check(state, target)


def test_a_received_order_is_cancelled_without_a_reason() -> None:
    check(RECEIVED, CANCELLED)


def test_an_order_being_prepared_is_cancelled_with_a_reason() -> None:
    check(PREPARING, CANCELLED, reason="out of milk")
    with pytest.raises(ReasonNeededError):
        check(PREPARING, CANCELLED)


def test_a_ready_order_is_cancelled_by_a_manager_with_a_reason() -> None:
    check(READY, CANCELLED, Role.MANAGER, "not picked up")
    with pytest.raises(ManagerNeededError):
        check(READY, CANCELLED, Role.STAFF, "not picked up")
    with pytest.raises(ReasonNeededError):
        check(READY, CANCELLED, Role.MANAGER)


def test_a_closed_order_is_not_cancelled() -> None:
    for state in CLOSED:
        with pytest.raises(NotAllowedError):
            check(state, CANCELLED, Role.MANAGER, "why not")


def test_a_recall_returns_to_the_previous_state_for_half_an_hour() -> None:
    for came_from in OPEN:
        for to in (*FORWARD[came_from], CANCELLED):
            in_time = at(to, change(came_from, to, timedelta(minutes=30)))
            states.check(*in_time, came_from, Role.STAFF, None, NOW)
            late = at(to, change(came_from, to, timedelta(minutes=30, milliseconds=1)))
            with pytest.raises(NotAllowedError):
                states.check(*late, came_from, Role.STAFF, None, NOW)
    twice = at(READY, change(PREPARING, READY))
    with pytest.raises(NotAllowedError):
        states.check(*twice, RECEIVED, Role.STAFF, None, NOW)


def test_a_recall_of_a_recall_never_closes_an_order() -> None:
    with pytest.raises(ReasonNeededError):  # it is cancelled by the rules for that, and by no recall
        states.check(*at(PREPARING, change(CANCELLED, PREPARING)), CANCELLED, Role.STAFF, None, NOW)


def test_a_state_adopted_after_a_restore_is_not_recalled() -> None:
    restored = at(READY, change(RECEIVED, READY, actor=RESTORED))
    with pytest.raises(NotAllowedError):
        states.check(*restored, RECEIVED, Role.STAFF, None, NOW)


def test_the_allowed_targets_are_listed() -> None:
    def targets(state: State, role: Role) -> list[State]:
        return states.targets(*at(state), role, NOW)

    assert targets(RECEIVED, Role.STAFF) == [PREPARING, READY, COLLECTED, CANCELLED]
    assert targets(READY, Role.STAFF) == [COLLECTED]
    assert targets(READY, Role.MANAGER) == [COLLECTED, CANCELLED]
    assert targets(COLLECTED, Role.MANAGER) == []


def test_a_version_is_the_time_in_microseconds_and_never_decreases() -> None:
    micros = 1_795_701_600_123_456
    assert moved(Progress(RECEIVED, 1, NOW), READY, NOW).version == micros
    assert moved(Progress(RECEIVED, micros, NOW), READY, NOW).version == micros + 1
    assert moved(Progress(RECEIVED, micros + 9, NOW), READY, NOW).version == micros + 10


def test_the_time_to_ready_ends_when_it_is_ready_for_the_last_time() -> None:
    progress = states.first(NOW)
    times = {}
    for minute, target in enumerate([READY, PREPARING, READY, COLLECTED, READY, CANCELLED], 1):
        progress = moved(progress, target, NOW + timedelta(minutes=minute))
        times[minute] = progress.ready_at
    third = NOW.replace(microsecond=123000) + timedelta(minutes=3)
    assert times == {
        1: third - timedelta(minutes=2),
        2: None,
        3: third,
        4: third,
        5: third,  # it stayed ready: "collected" was a mistake
        6: third,
    }


def test_a_test_order_stays_one() -> None:
    cancelled = moved(states.first(None), CANCELLED)
    assert (cancelled.state, cancelled.at) == (CANCELLED, None)


@given(st.lists(st.sampled_from(State), max_size=8), st.sampled_from(Role))
def test_any_accepted_changes_form_a_chain(targets: list[State], role: Role) -> None:
    progress, changes = states.first(NOW), list[Change]()
    for target in targets:
        try:
            states.check(progress, changes[-1] if changes else None, target, role, "a reason", NOW)
        except MoveError:
            continue
        if target is progress.state:
            continue
        changes.append(states.next_change(progress, target, NOW, "ada"))
        assert changes[-1].version > progress.version
        progress = states.after(progress, changes[-1])
    assert [each.came_from for each in changes[1:]] == [each.to for each in changes[:-1]]
    assert not any(each.came_from is COLLECTED and each.to is CANCELLED for each in changes)


def test_pickup_numbers_are_a_letter_and_two_digits_and_2400_consecutive_ones_differ() -> None:
    assert [pickup_number(row_id) for row_id in (1, 42, 100, 942, 2399, 2400)] == [
        "A01",
        "A42",
        "B00",
        "K42",
        "Z99",
        "A00",
    ]
    assert not {"I", "O"} & set(LETTERS)
    assert len({pickup_number(row_id) for row_id in range(10**9, 10**9 + 2400)}) == 2400
