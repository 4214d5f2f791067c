"""The range of times that an order can have, at its ends and one millisecond beyond."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orders.times import EARLIEST, LATEST, TimeError, order_time

STEP = timedelta(milliseconds=1)


@pytest.mark.parametrize("moment", [EARLIEST, LATEST], ids=str)
def test_the_first_and_the_last_time_are_taken(moment: object) -> None:
    assert order_time({}, str(moment)).at == moment


@pytest.mark.parametrize("moment", [EARLIEST - STEP, LATEST + STEP], ids=str)
def test_a_time_beyond_them_is_refused(moment: object) -> None:
    with pytest.raises(TimeError, match="The message says that it was sent on"):
        order_time({}, str(moment))


def test_times_do_not_end_in_2038() -> None:
    assert order_time({}, "2038-01-19T03:14:08Z").at.year == 2038
