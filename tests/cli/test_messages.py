"""A message that is sent again, or corrected, stays the same order."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.messages import Message, in_envelope
from cli.terminal import plain
from orders.exact_json import NumberText, encode
from orders.message import Envelope
from orders.order import InvalidOrderError

SENT = 1_795_352_400_123  # milliseconds
ENVELOPE = Envelope("0f2a-sns", "2026-11-20T10:00:00.500Z")

FUTURE = Envelope("0f2a-sns", "2036-01-01T00:00:00Z")
TIMES = st.text() | st.datetimes().map(lambda time: time.isoformat() + "Z")

NUMBERS = st.builds(
    "{}{}e{}".format, st.sampled_from(["", "-"]), st.integers(0, 10**40), st.integers(-999, 999)
).map(NumberText)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
ORDERS = st.fixed_dictionaries(
    {"item": st.text(min_size=1, max_size=5), "quantity": st.integers(1, 9) | st.just("3") | VALUES},
    optional={"orderId": st.just("O-1") | st.none() | VALUES, "customer_name": st.text(), "note": VALUES},
)


@st.composite
def bodies(draw: st.DrawFn) -> str:
    """Return bodies of all kinds: orders in every form, and invalid ones."""
    text = draw(ORDERS.map(encode) | st.text() | VALUES.map(encode))
    if draw(st.booleans()):
        text = json.dumps(text)
    if draw(st.booleans()):
        text = in_envelope(
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

    again = replace(before, message_id="another", body=before.resendable(), sent_at=SENT + 86_400_000)

    assert again.order == before.order
    assert again.reason == before.reason
    assert again.resendable() == again.body  # a second time changes nothing


def test_a_bare_message_keeps_its_identity_and_its_time() -> None:
    body = json.loads(message({"item": "Latte", "quantity": 1}).resendable())

    assert body["MessageId"] == "8f14e45f"
    assert body["Timestamp"] == "2026-11-22T13:00:00.123Z"
    assert body["Message"]["orderId"] == "8f14e45f"


BARE = {
    "an order": '{"item": "Latte", "quantity": 1, "note": "\\"\\u00e4\\\\\\"", "n": 1.10}',
    "in a JSON string": json.dumps('{"item": "Latte", "quantity": 1, "n": 1E+5}'),
    "its own orderId": '{"orderId": "O-1", "item": "Latte", "quantity": 1.0}',
    "an orderId that is null": '{"order\\u0049d": null, "item": "Latte", "quantity": 1}',
    "white space around": ' \n{"item": "Latte", "quantity": 1 }\t',
    "invalid": '{"item": "Latte", "quantity": 0, "n": 1e999999999}',
    "empty": "{ }",
}


@pytest.mark.parametrize("body", BARE.values(), ids=BARE)
def test_a_bare_order_is_enveloped_unchanged(body: str) -> None:
    written = body if body.strip().startswith("{") else json.loads(body)

    body = message(body).resendable()

    assert written.strip()[:-1] in body
    assert len(body.encode()) <= len(body.encode()) + 300


@given(bodies(), st.text("abcXYZ019._:-", min_size=1, max_size=64))
def test_identity_and_time_take_no_more_than_300_bytes(body: str, message_id: str) -> None:
    before = Message(message_id=message_id, body=body, sent_at=SENT)

    after = before.resendable()

    assert len(after.encode(errors="replace")) <= len(body.encode(errors="replace")) + 300


# JSON can escape these; SQS refuses them unescaped.
REFUSED_BY_SQS = "\ud83d\udfff\ufffe\uffff"


@pytest.mark.parametrize("first", ["note", "item"])
@pytest.mark.parametrize(
    "envelope", [None, ENVELOPE, FUTURE], ids=["bare", "in an envelope", "in one of the future"]
)
def test_characters_that_sqs_refuses_are_sent_as_escapes(first: str, envelope: Envelope | None) -> None:
    # The last of several members with one name counts, so this may be an order.
    text = f'{{"{first}": "{REFUSED_BY_SQS}", "note": "\uffff", "item": "Latte", "quantity": 1}}'
    before = message(json.dumps(text) if envelope is None else in_envelope(envelope, text))

    again = replace(before, body=before.resendable(), message_id="another")
    corrected = before.corrected(before.editable())

    assert not set(REFUSED_BY_SQS) & set(again.body + corrected.body)
    assert again.order == corrected.order == before.order
    assert again.order is not None
    assert again.order.attributes == {"note": "\uffff"}


@pytest.mark.parametrize(
    "body", ["poison", '{"item": "Latte", "quantity": 1', '"\\"{}\\""', "[]", "5", '{"n": NaN}']
)
def test_a_body_without_a_json_object_is_sent_unchanged(body: str) -> None:
    assert message(body).resendable() == body


NUMBER = "0.1234567890123456712345678901"


@pytest.mark.parametrize(
    "number", [NUMBER, "1e400", "1E-400", "1e999999999", "1.10", "-0", "1" * 5000, "1e40"]
)
@pytest.mark.parametrize(
    "form", ["bare", "in an envelope", "in an envelope as an object", "in a JSON string"]
)
def test_numbers_are_shown_exactly(number: str, form: str) -> None:
    text = f'{{"orderId": "O-1", "item": "Latte", "quantity": 0, "n": [{number}], "note": "Zo\\u00eb"}}'
    body = {
        "bare": text,
        "in an envelope": in_envelope(ENVELOPE, text),
        "in an envelope as an object": f'{{"Type": "Notification", "MessageId": "m-1", "Message": {text}}}',
        "in a JSON string": json.dumps(text),
    }[form]

    found = message(body)

    assert number in found.text
    assert f'"n": [\n    {number}\n  ],\n  "note": "Zoë"' in found.editable()


def test_a_number_does_not_prevent_the_correction_of_another_field() -> None:
    before = message(f'{{"item": "Latte", "quantity": 0, "n": {NUMBER}, "large": 3.4028235e38}}')

    after = before.corrected(before.editable().replace('"quantity": 0', '"quantity": 2'))

    assert after.order is not None
    assert after.order.attributes == {"n": Decimal(NUMBER), "large": Decimal("3.4028235e38")}
    assert f'"n": {NUMBER}, "large": 3.4028235e38' in after.body


def test_a_number_that_cannot_be_stored_is_named() -> None:
    before = message('{"item": "Latte", "quantity": 0, "n": {"deep": [1e400]}}')

    with pytest.raises(InvalidOrderError, match=r"^n\.deep\[0\] must be a number of at most 38"):
        before.corrected(before.editable().replace('"quantity": 0', '"quantity": 2'))


def test_a_deeply_nested_message_is_shown_unchanged() -> None:
    body = '{"a": ' + "[" * 400 + "]" * 400 + "}"

    assert message(body).editable() == body


def test_the_time_that_replaces_a_future_one_is_in_the_message() -> None:
    before = message(in_envelope(FUTURE, '{"item": "Latte", "quantity": 1}'))

    again = replace(before, body=before.resendable(), sent_at=SENT + 86_400_000)

    assert (before.ignored_time, again.ignored_time) == (FUTURE.timestamp, None)
    assert again.ordered_at == before.ordered_at == before.sent


def test_an_envelope_is_not_changed() -> None:
    body = in_envelope(ENVELOPE, ' {"item" : "Latte", "quantity": 1.0}')

    assert message(body).resendable() == body


@given(bodies())
def test_editable_text_has_no_control_characters(body: str) -> None:
    found = message(body)

    if found.order is not None:
        assert plain(found.editable().replace("\n", "")) == found.editable().replace("\n", "")


@given(bodies())
def test_an_order_that_is_unchanged_in_the_editor_stays_the_same(body: str) -> None:
    before = message(body)

    if before.order is not None:
        assert before.corrected(before.editable()).order == before.order


@pytest.mark.parametrize(
    ("body", "order_id"),
    [
        ({"orderId": "O-7", "item": "Latte", "quantity": 0}, "O-7"),
        ({"item": "Latte", "quantity": 0}, "8f14e45f"),
        (json.loads(in_envelope(ENVELOPE, '{"item": "Latte", "quantity": 0}')), ENVELOPE.message_id),
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
        {"orderId": "O-8", "item": "Latte", "quantity": 2, "price": 1},
        in_envelope(ENVELOPE, '{"orderId": "O-8", "item": "Latte", "quantity": 2}'),
        in_envelope(ENVELOPE, '{"item": "Latte", "quantity": 2}'),
    ],
)
def test_an_order_can_get_another_id_and_keeps_its_time(body: Any) -> None:
    before = message(body)

    after = before.corrected(before.editable(), "O-7")

    assert before.order is not None
    assert after.order == replace(before.order, order_id="O-7")


def test_an_invalid_id_can_be_corrected() -> None:
    after = message({"orderId": "O 7", "item": "Latte", "quantity": 1}).corrected(_seven())

    assert after.order is not None
    assert after.order.order_id == "O-7"


def test_an_envelope_without_a_time_gets_sqss_time() -> None:
    before = message(in_envelope(Envelope("m-1", "yesterday"), '{"item": "Latte", "quantity": 1}'))
    assert before.reason == "The message has no valid time of sending."

    after = before.corrected(before.editable())

    assert after.order is not None
    assert (after.order.order_id, after.order.created_at) == ("m-1", before.sent)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"item": "Latte", "quantity": 0}'])
def test_an_invalid_correction_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(InvalidOrderError):
        message("poison").corrected(text)
