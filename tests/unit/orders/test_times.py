"""The range of times that an order can have, at its ends and one millisecond beyond."""

from __future__ import annotations

import pytest

from orders.times import TimeError, iso, order_time


@pytest.mark.parametrize("moment", ["1970-01-02T00:00:00.000Z", "9999-12-01T00:00:00.000Z"])
def test_the_first_and_the_last_time_are_valid(moment: str) -> None:
    assert iso(order_time({}, moment).at) == moment


@pytest.mark.parametrize("moment", ["1970-01-01T23:59:59.999Z", "9999-12-01T00:00:00.001Z"])
def test_a_time_beyond_the_range_is_refused(moment: str) -> None:
    with pytest.raises(TimeError, match="The message's time is out of range"):
        order_time({}, moment)


def test_times_do_not_end_in_2038() -> None:
    assert order_time({}, "2038-01-19T03:14:08Z").at.year == 2038
