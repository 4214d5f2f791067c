"""A message that is moved stays the same order, and a correction is of the same order."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.messages import Message, enveloped_as
from cli.terminal import plain
from orders.message import Envelope
from orders.order import InvalidOrderError

SENT = 1_795_352_400_123  # milliseconds
ENVELOPE = Envelope("0f2a-sns", "2026-11-20T10:00:00.500Z")

FUTURE = Envelope("0f2a-sns", "2036-01-01T00:00:00Z")
TIMES = st.text() | st.datetimes().map(lambda time: time.isoformat() + "Z")

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
ORDERS = st.fixed_dictionaries(
    {"item": st.text(min_size=1, max_size=5), "quantity": st.integers(1, 9) | st.just("3") | VALUES},
    optional={"orderId": st.just("O-1") | st.none() | VALUES, "customer_name": st.text(), "note": VALUES},
)


@st.composite
def bodies(draw: st.DrawFn) -> str:
    """Whatever may be in a queue: orders in every form, and what is none."""
    text = draw(ORDERS.map(json.dumps) | st.text() | VALUES.map(json.dumps))
    if draw(st.booleans()):
        text = json.dumps(text)
    if draw(st.booleans()):
        text = enveloped_as(
            draw(st.just(ENVELOPE) | st.just(FUTURE) | st.builds(Envelope, st.text(), TIMES)), text
        )
        if draw(st.booleans()):
            text = json.dumps(text)
    return text


def message(body: object) -> Message:
    return Message(
        message_id="8f14e45f", body=body if isinstance(body, str) else json.dumps(body), sent_at=SENT
    )


@given(bodies())
def test_a_message_that_is_sent_again_stays_the_same_order(body: str) -> None:
    before = message(body)

    again = replace(before, message_id="another", body=before.carried(), sent_at=SENT + 86_400_000)

    assert again.order == before.order
    assert again.reason == before.reason
    assert again.carried() == again.body  # the second time, nothing is left to do


def test_a_bare_message_takes_its_identity_and_its_time_with_it() -> None:
    carried = json.loads(message({"item": "Latte", "quantity": 1}).carried())

    assert carried["MessageId"] == "8f14e45f"
    assert carried["Timestamp"] == "2026-11-22T13:00:00.123Z"
    assert json.loads(carried["Message"])["orderId"] == "8f14e45f"


def test_the_time_that_is_taken_instead_of_one_in_the_future_goes_with_the_message() -> None:
    before = message(enveloped_as(FUTURE, '{"item": "Latte", "quantity": 1}'))

    again = replace(before, body=before.carried(), sent_at=SENT + 86_400_000)

    assert (before.ignored_time, again.ignored_time) == (FUTURE.timestamp, None)
    assert again.ordered_at == before.ordered_at == before.sent


def test_what_is_in_an_envelope_is_not_touched() -> None:
    body = enveloped_as(ENVELOPE, ' {"item" : "Latte", "quantity": 1.0}')

    assert message(body).carried() == body


@given(bodies())
def test_what_is_shown_and_edited_never_steers_a_terminal(body: str) -> None:
    shown = message(body)

    if shown.order is not None:
        assert plain(shown.editable().replace("\n", "")) == shown.editable().replace("\n", "")


@given(bodies())
def test_an_order_that_is_left_as_it_is_in_the_editor_stays_the_same(body: str) -> None:
    before = message(body)

    if before.order is not None:
        assert before.corrected(before.editable()).order == before.order


@pytest.mark.parametrize(
    ("body", "order_id"),
    [
        ({"orderId": "O-7", "item": "Latte", "quantity": 0}, "O-7"),
        ({"item": "Latte", "quantity": 0}, "8f14e45f"),
        (json.loads(enveloped_as(ENVELOPE, '{"item": "Latte", "quantity": 0}')), ENVELOPE.message_id),
        ("poison", "8f14e45f"),
    ],
)
def test_a_correction_has_the_same_id_and_the_same_time(body: Any, order_id: str) -> None:
    before = message(body)

    after = before.corrected('{"item": "Latte", "quantity": 2}')

    assert after.order is not None
    assert (after.order.order_id, after.order.quantity) == (order_id, 2)
    expected = "2026-11-20T10:00:00.500" if order_id == ENVELOPE.message_id else "2026-11-22T13:00:00.123"
    assert after.ordered_at.isoformat().startswith(expected)


def _seven() -> str:
    return '{"orderId": "O-7", "item": "Latte", "quantity": 2}'


@pytest.mark.parametrize(
    "body",
    [
        {"orderId": "O-7", "item": "Latte", "quantity": 0},  # its id may be known elsewhere
        {"item": "Latte", "quantity": 1},  # it may be recorded already
    ],
)
def test_a_correction_cannot_become_another_order(body: Any) -> None:
    with pytest.raises(InvalidOrderError, match="must stay"):
        message(body).corrected('{"orderId": "O-8", "item": "Latte", "quantity": 2}')


def test_an_id_that_is_none_can_be_corrected() -> None:
    after = message({"orderId": "O 7", "item": "Latte", "quantity": 1}).corrected(_seven())

    assert after.order is not None
    assert after.order.order_id == "O-7"


def test_an_envelope_without_a_time_gets_the_messages_own() -> None:
    before = message(enveloped_as(Envelope("m-1", "yesterday"), '{"item": "Latte", "quantity": 1}'))
    assert before.reason == "The message does not say when it was sent."

    after = before.corrected(before.editable())

    assert after.order is not None
    assert (after.order.order_id, after.order.created_at) == ("m-1", before.sent)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"item": "Latte", "quantity": 0}'])
def test_a_correction_that_is_no_order_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(InvalidOrderError):
        message("poison").corrected(text)
