"""Upper bounds of the cost and the database growth that one sender can cause over open HTTP in a day.

The sender posts the most expensive order at the API's rate limit: another item each time, an Idempotency-Key,
and a list of digits as long as a body may be, which takes the most space in both stores.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from infra.prices import Prices

SECONDS_A_DAY = 24 * 60 * 60
KILOBYTE = 1024
# "1," in a body is "1, " in MySQL, and in DynamoDB two bytes of a number and one of the list.
LARGEST_GROWTH = 1.5
OWN_FIELDS = 400  # bytes, in either store: identity, times, state and the names of columns or attributes
# Counters at ten orders a batch: each item's own, a tenth of three others, and outdated updates
# (docs/benchmarks.md). The Idempotency-Key takes one more unit.
COUNTER_UNITS = 1.6
KEY_UNITS = 1
WORKER = 2.13e-6 - 1.06e-6  # US dollars an order without DynamoDB, from the topic on (docs/benchmarks.md)
PLACE_ORDER = 0.03 * 0.5  # gigabyte-seconds
LOG_LINES = 1000  # bytes an order: the API's line, Lambda's three, and PlaceOrder's
PAGE = 16 * KILOBYTE  # of InnoDB; a row is in one page if it has less than half of one
INDEXES = 1300  # bytes a row: indexes of the table, and counters of its own item


@dataclass(frozen=True, kw_only=True)
class Sender:
    """A sender of the largest orders at the API's rate limit."""

    rate: int  # requests a second
    body: int  # bytes

    @property
    def orders(self) -> int:
        """Return the number of orders in a day."""
        return self.rate * SECONDS_A_DAY

    @property
    def stored(self) -> float:
        """Return the bytes of an order in either store."""
        return self.body * LARGEST_GROWTH + OWN_FIELDS

    def dollars_a_day(self, prices: Prices) -> float:
        """Return the cost of a day, without storage."""
        units = math.ceil(self.stored / KILOBYTE) + COUNTER_UNITS + KEY_UNITS
        compared = math.ceil(self.stored / (4 * KILOBYTE))
        order = (
            prices["api_gateway.request"]
            + prices["lambda.request"]
            + PLACE_ORDER * prices["lambda.gb_second_arm"]
            + LOG_LINES / 1e9 * prices["cloudwatch.log_gb"]
            + WORKER
            + units * prices["dynamodb.write_unit"]
            + compared * prices["dynamodb.read_unit"]
        )
        return self.orders * order

    def gigabytes_a_day(self) -> float:
        """Return the growth of the database in a day."""
        rows_a_page = PAGE // self.stored
        return self.orders * (PAGE / rows_a_page + INDEXES) / 1e9
