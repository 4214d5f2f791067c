"""Messages in every form, and inputs that must not crash the parser."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orders.failures import Defect, is_final
from orders.message import decode, parse_batch, parse_record
from orders.order import InvalidOrderError, Order, OrderFields
from orders.times import MAX_AHEAD

ORDER = {"item": "Latte", "quantity": 2, "customer_name": "Ann"}
SENT = datetime(2026, 11, 22, 14, 5, 6, 789000, UTC)
MESSAGE_ID = "11111111-2222-3333-4444-555555555555"
NOTIFICATION_ID = "99999999-8888-7777-6666-555555555555"


def record(body: str, **attributes: str) -> dict[str, Any]:
    sent = str(int(SENT.timestamp() * 1000))
    return {"messageId": MESSAGE_ID, "body": body, "attributes": {"SentTimestamp": sent, **attributes}}


def envelope(message: str, **more: object) -> str:
    notification = {
        "Type": "Notification",
        "MessageId": NOTIFICATION_ID,
        "TopicArn": "arn:aws:sns:us-east-1:123456789012:OrderTopic",
        "Message": message,
        "Timestamp": "2026-11-21T23:59:59.999Z",
        **more,
    }
    return json.dumps(notification)


BARE = json.dumps(ORDER)
FORMS = {
    "bare": BARE,
    "encoded twice": json.dumps(BARE),
    "in an envelope": envelope(BARE),
    "encoded twice in an envelope": envelope(json.dumps(BARE)),
    "in an envelope that is encoded twice": json.dumps(envelope(BARE)),
}


@pytest.mark.parametrize("body", FORMS.values(), ids=FORMS)
def test_every_form_gives_the_same_order(body: str) -> None:
    order = parse_record(record(body))
    assert (order.item, order.quantity, order.customer_name) == ("Latte", 2, "Ann")


def test_an_order_keeps_its_own_id_in_every_form() -> None:
    named = json.dumps({**ORDER, "orderId": "O1"})
    assert parse_record(record(named)).order_id == "O1"
    assert parse_record(record(envelope(named))).order_id == "O1"


def test_an_order_without_an_id_takes_the_id_and_time_of_its_notification() -> None:
    order = parse_record(record(envelope(BARE)))
    assert order.order_id == NOTIFICATION_ID
    assert order.created_at == datetime(2026, 11, 21, 23, 59, 59, 999000, UTC)


def test_a_redriven_notification_is_the_same_order() -> None:
    again = {
        **record(envelope(BARE)),
        "messageId": "another",
        "attributes": {"SentTimestamp": "1900000000000"},
    }
    assert parse_record(again) == parse_record(record(envelope(BARE)))


@pytest.mark.parametrize(
    "timestamp",
    ["2036-01-01T00:00:00Z", "2040-01-01", "2026-11-22T15:10:06.790+01:00", "9999-12-31T23:59:59-23:59"],
)
def test_a_time_in_the_future_is_not_the_time_of_the_order(timestamp: str) -> None:
    (received,), _ = parse_batch([record(envelope(BARE, Timestamp=timestamp))])
    assert (received.order.created_at, received.order.ignored_time) == (SENT, timestamp)


@pytest.mark.parametrize("timestamp", ["2026-11-22T14:10:06.789Z", "2026-11-22T14:05:00Z"])
def test_a_time_a_few_minutes_ahead_is_accepted(timestamp: str) -> None:
    (received,), _ = parse_batch([record(envelope(BARE, Timestamp=timestamp))])
    assert received.order.created_at == datetime.fromisoformat(timestamp)
    assert received.order.ignored_time is None


@given(
    ahead=st.timedeltas(min_value=timedelta(days=-365), max_value=timedelta(days=3650)),
    receives=st.integers(1, 3),
)
def test_every_receive_of_a_message_gives_the_order_the_same_time(ahead: timedelta, receives: int) -> None:
    body = envelope(BARE, Timestamp=(SENT + ahead).isoformat())
    again = record(
        body, ApproximateReceiveCount=str(receives), ApproximateFirstReceiveTimestamp="1900000000000"
    )
    order = parse_record(again)
    assert order == parse_record(record(body))
    assert order.created_at is not None
    assert order.created_at <= SENT + MAX_AHEAD


def test_a_bare_order_takes_the_message_id_and_time_of_sqs() -> None:
    assert parse_record(record(BARE)) == Order(MESSAGE_ID, SENT, "Latte", 2, "Ann")


def test_an_order_with_a_field_named_message_is_not_an_envelope() -> None:
    order = {**ORDER, "Message": "happy birthday"}
    assert parse_record(record(json.dumps(order))).attributes == {"Message": "happy birthday"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("", "body"),
        ("not json", "body"),
        ("[]", "body"),
        ("null", "body"),
        ('{"item": NaN}', "body"),
        ("[" * 100_000, "body"),
        ('{"item": "Tea", "quantity": ' + "1" * 5000 + "}", "quantity"),
        ('{"item": "Tea", "quantity": 1, "price": 1e999999999}', "price"),
        (json.dumps(json.dumps(BARE)), "body"),
        (envelope("not json"), "body"),
        (envelope(BARE, MessageId="a b"), "MessageId"),
        (envelope(BARE, MessageId=None), "MessageId"),
        (envelope(BARE, MessageId=7), "MessageId"),
        (envelope(BARE, Timestamp="yesterday"), "Timestamp"),
        (envelope(BARE, Timestamp="1901-01-01T00:00:00Z"), "Timestamp"),
        (envelope(BARE, Timestamp="0001-01-01T00:00:00+23:59"), "Timestamp"),
    ],
)
def test_an_invalid_message_has_a_reason(body: str, field: str) -> None:
    with pytest.raises(InvalidOrderError) as caught:
        parse_record(record(body))
    assert set(caught.value.errors) == {field}


@pytest.mark.parametrize("attributes", [{}, {"SentTimestamp": "soon"}, {"SentTimestamp": "9" * 30}])
def test_a_bare_order_without_a_time_is_refused(attributes: dict[str, str]) -> None:
    with pytest.raises(InvalidOrderError):
        parse_record({"messageId": MESSAGE_ID, "body": BARE, "attributes": attributes})


@given(body=st.text() | st.text("0123456789.eE+-").map('{{"item": "Tea", "quantity": {0}, "x": {0}}}'.format))
@example(body='{"Type": "Notification", "Message": {"item": "Tea", "quantity": 1}}')
@example(body='{"Type": "Notification", "Message": null}')
def test_no_body_makes_the_parser_crash(body: str) -> None:
    received, rejected = parse_batch([record(body)])
    assert len(received) + len(rejected) == 1


@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["Type", "Message", "MessageId", "Timestamp", "item", "quantity", "x"]),
                inner | st.just("Notification"),
                max_size=7,
            )
        ),
    )
)
def test_no_json_makes_the_parser_crash(body: object) -> None:
    received, rejected = parse_batch([record(json.dumps(body))])
    assert len(received) + len(rejected) == 1


def test_an_invalid_message_does_not_affect_the_others() -> None:
    batch = [record(BARE) | {"messageId": str(number)} for number in range(3)]
    batch[1]["body"] = "poison"
    received, rejected = parse_batch(batch)
    assert [message.message_id for message in received] == ["0", "2"]
    assert [(message.message_id, message.reason) for message in rejected] == [
        ("1", "The order must be a JSON object; this is not JSON.")
    ]


@pytest.mark.parametrize(
    ("body", "order_id"),
    [
        ('{"orderId": "O-1", "item": "Tea", "quantity": 0}', "O-1"),
        ('{"Type": "Notification", "Message": "{\\"orderId\\": \\"O-1\\"}"}', "O-1"),
        ('{"orderId": "two words", "item": "Tea", "quantity": 1}', None),
        ('{"Type": "Notification", "Message": "poison"}', None),
        ("poison", None),
    ],
)
def test_a_rejected_message_keeps_a_valid_order_id(body: str, order_id: str | None) -> None:
    _, (rejected,) = parse_batch([record(body)])
    assert rejected.order_id == order_id


def test_decoding_accepts_only_valid_json() -> None:
    assert decode('{"a": 1}') == {"a": 1}
    with pytest.raises(InvalidOrderError):
        decode("Infinity")


def test_a_message_on_which_the_parser_fails_is_rejected_alone_and_can_be_retried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail_on_tea(message: object) -> OrderFields:
        if message == {"item": "Tea"}:
            raise KeyError("a defect")
        return parse_fields(message)

    parse_fields = OrderFields.of
    monkeypatch.setattr(OrderFields, "of", fail_on_tea)
    defect = {**record('{"item": "Tea"}'), "messageId": "defect"}
    received, (rejected,) = parse_batch([record(BARE), defect])
    assert [message.message_id for message in received] == [MESSAGE_ID]
    assert rejected.message_id == "defect"
    assert isinstance(rejected.reason, Defect)
    assert not is_final(rejected.reason)
    assert rejected.reason.startswith("KeyError in test_message.py, line ")
