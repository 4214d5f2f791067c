"""Orders of a chaos run: the functions parse every message as it was planned."""

from __future__ import annotations

from collections import Counter

import pytest

from chaos.plan import Plan
from cli.traffic.plan import Entrance, Kind, Sending
from orders.http_request import parse
from orders.message import parse_batch

ORDERS = 1000


@pytest.fixture
def plan() -> Plan:
    return Plan(seed=7, run="r1", orders=ORDERS)


def test_the_same_seed_sends_the_same_and_another_does_not(plan: Plan) -> None:
    same, other = Plan(seed=7, run="r1", orders=ORDERS), Plan(seed=8, run="r1", orders=ORDERS)
    assert list(plan.sendings()) == list(same.sendings())
    assert [s.number for s in plan.sendings()] != [s.number for s in other.sendings()]


def test_of_a_hundred_orders_one_is_malformed_and_ten_come_twice(plan: Plan) -> None:
    counted = plan.count()
    assert counted["malformed"] + counted["refused"] == ORDERS // 100
    assert counted["duplicates"] == ORDERS // 10
    sent = Counter(sending.number for sending in plan.sendings())
    assert sorted(sent) == list(range(ORDERS))
    assert Counter(sent.values()) == {1: ORDERS * 9 // 10, 2: ORDERS // 10}


def test_orders_are_sent_out_of_order_and_to_every_entrance(plan: Plan) -> None:
    sendings = list(plan.sendings())
    numbers = [sending.number for sending in sendings]
    assert numbers != sorted(numbers)
    assert {sending.entrance for sending in sendings} == set(Entrance)
    twice = {number for number, times in Counter(numbers).items() if times == 2}
    entrances = {number: {s.entrance for s in sendings if s.number == number} for number in twice}
    assert any(len(of_one) > 1 for of_one in entrances.values())
    # The API assigned its id, which no other publisher knows.
    assert {Entrance.HTTP} in entrances.values()
    assert all(of_one == {Entrance.HTTP} for of_one in entrances.values() if Entrance.HTTP in of_one)


def record(sending: Sending) -> dict[str, object]:
    return {
        "messageId": f"m-{sending.number}",
        "body": sending.body,
        "attributes": {"SentTimestamp": "1763800000000"},
    }


def test_the_worker_reads_in_each_message_what_the_plan_says(plan: Plan) -> None:
    for sending in plan.sendings():
        received, rejected = parse_batch([record(sending)])
        assert (sending.kind is not Kind.MALFORMED) is bool(received)
        if received:
            order, planned = received[0].order, plan.order(sending.number)
            assert (order.item, order.quantity) == plan.wanted(sending.number)
            assert order.customer_name == plan.customer
            assert order.attributes["number"] == sending.number
            own_id = f"{plan.customer}-{sending.number}"
            assert sending.order_id == (own_id if planned.has_id else None)
            assert (order.order_id == own_id) is (planned.has_id and sending.entrance is not Entrance.HTTP)
        else:
            assert rejected[0].reason
            assert plan.wanted(sending.number) is None
            assert plan.number_of_malformed(sending.body) == sending.number


def test_the_api_accepts_the_valid_orders_and_refuses_the_others(plan: Plan) -> None:
    for sending in plan.sendings():
        if sending.entrance is Entrance.HTTP:
            refused = False
            try:
                parse(sending.body, sending.order_id, with_api_key=False)
            except ValueError:
                refused = True
            assert refused is (sending.kind is Kind.MALFORMED)
            assert refused is (plan.order(sending.number).fate == "refused")


def test_messages_are_generated_while_they_are_sent() -> None:
    sendings = Plan(seed=1, run="r", orders=10**9).sendings()
    first = [next(sendings).number for _ in range(100)]
    assert max(first) < 1000
