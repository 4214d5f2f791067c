"""The audit of a chaos run finds orders that are missing, repeated, changed or moved wrongly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from chaos.audit import Moved
from chaos.plan import Plan
from cli.traffic.audit import Found, growth_checks


@pytest.fixture
def plan() -> Plan:
    return Plan(seed=7, run="r1", orders=1000)


def valid(plan: Plan) -> Iterator[tuple[int, str, int]]:
    for number in range(plan.orders):
        if wanted := plan.wanted(number):
            yield number, *wanted


def test_a_store_with_each_order_once_passes(plan: Plan) -> None:
    found = Found(plan.wanted, plan.orders)
    for order in valid(plan):
        found.add(*order)
    assert found.check("rds", "Rows").ok
    assert len(found) == found.total() == plan.count()["valid"]


def test_the_audit_finds_missing_repeated_changed_and_unknown_orders(plan: Plan) -> None:
    orders = list(valid(plan))
    found = Found(plan.wanted, plan.orders)
    for order in [*orders[2:], orders[5]]:
        found.add(*order)
    number, item, quantity = orders[0]
    found.add(number, item, quantity + 1)
    bad = next(n for n in range(plan.orders) if plan.wanted(n) is None)
    for unknown in (bad, plan.orders, None, -1):
        found.add(unknown, "Tea", 1)
    first = orders[1][0]
    assert found.problems() == [
        "1 missing",
        "1 more than once",
        f"order {first} first",
        f"order {number} has {quantity + 1} × {item}",
        f"number {bad} was never a valid order",
        f"number {plan.orders} was never a valid order",
    ]
    assert "1 missing" not in found.problems(optional={first})


def wrong(*, exact: bool, **grown: int) -> set[str]:
    counters = {"TOTAL_ORDERS": 3, "ORDERS#2026-11-22": 3, "ORDERS#2026-11-22T14": 3, "ITEM#Tea": 5}
    counters |= {name.replace("_", "#"): number for name, number in grown.items()}
    checks = growth_checks(Counter(counters), Counter({"Tea": 5}), 3, exact=exact)
    return {check.name for check in checks if not check.ok}


def test_counters_that_grew_by_other_numbers_fail() -> None:
    assert wrong(exact=True) == set()
    assert wrong(exact=True, ITEM_Tea=6) == wrong(exact=True, ITEM_Latte=1) == {"menu"}
    assert wrong(exact=True, **{"ORDERS#2026-11-22": 2}) == {"days"}
    assert wrong(exact=False, **{"ORDERS#2026-11-22T14": 2}) == {"hours"}


def test_orders_of_others_pass_unless_the_check_is_exact() -> None:
    assert wrong(exact=False, ITEM_Tea=6, ITEM_Latte=1, **{"ORDERS#2026-11-22": 4}) == set()
    assert wrong(exact=False, ITEM_Tea=4, ITEM_Latte=9) == {"menu"}


CHAIN = [(5, "received", "preparing"), (9, "preparing", "ready")]


def test_an_order_whose_moves_are_one_chain_passes() -> None:
    order = Moved("o1", "ready", 9, [*CHAIN])
    assert order.problem(("ready", 9), {5, 9}) is None
    assert Moved("o1", "received", 1).problem(("received", 1), set()) is None


@pytest.mark.parametrize(
    ("order", "item", "confirmed", "sentence"),
    [
        (Moved("o1", "ready", 9, CHAIN[1:]), ("ready", 9), set(), "received 1 is followed by preparing"),
        (Moved("o1", "ready", 4, [CHAIN[0], (4, *CHAIN[1][1:])]), ("ready", 4), set(), "is followed by"),
        (Moved("o1", "ready", 10, CHAIN), ("ready", 10), set(), "its moves end at ready 9"),
        (Moved("o1", "ready", 9, CHAIN), ("preparing", 5), set(), "('preparing', 5) in DynamoDB"),
        (Moved("o1", "ready", 9, CHAIN), None, set(), "None in DynamoDB"),
        (Moved("o1", "ready", 9, CHAIN), ("ready", 9), {7}, "the confirmed version 7 is missing"),
    ],
)
def test_a_broken_chain_and_a_lost_move_are_found(
    order: Moved, item: tuple[str, int] | None, confirmed: set[int], sentence: str
) -> None:
    assert sentence in (order.problem(item, confirmed) or "")
