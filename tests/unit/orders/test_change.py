"""Requests to move an order: which are valid, and what they lead to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orders import change
from orders.change import RefusedError
from orders.http_request import MAX_BODY
from orders.states import Role, State


def parse(
    body: object = None, if_match: str | None = '"7"', key: str | None = None, actor: str = "ada"
) -> change.ChangeRequest:
    text = body if isinstance(body, str) else json.dumps(body or {"state": "ready"})
    return change.parse("o1", text, if_match, key, actor=actor, role=Role.STAFF)


def errors(*arguments: Any, **fields: Any) -> dict[str, str]:
    with pytest.raises(RefusedError) as caught:
        parse(*arguments, **fields)
    assert caught.value.status == 400
    found: dict[str, str] = caught.value.document["errors"]
    return found


def test_a_version_is_an_etag_that_a_cache_may_have_weakened() -> None:
    assert {parse(if_match=tag).version for tag in ('"7"', 'W/"7"', ' "7" ')} == {7}


def test_an_invalid_version_is_refused() -> None:
    long = '"' + "1" * 17 + '"'
    for tag in ("", "7", "*", '"7', '"a"', '"-7"', '"7", "8"', 'w/"7"', long, '"٣"'):
        assert list(errors(if_match=tag)) == ["If-Match"]


def test_a_request_without_a_version_is_refused() -> None:
    with pytest.raises(RefusedError, match="If-Match") as caught:
        parse(if_match=None)
    assert caught.value.status == 428


def test_a_target_is_a_state() -> None:
    assert [parse({"state": state}).target for state in State] == list(State)
    for other in (None, "", "Ready", "done", 1, True, ["ready"], {"ready": 1}):
        assert (
            "one of received, preparing, ready, collected and cancelled" in errors({"state": other})["state"]
        )


def test_unknown_fields_are_refused_by_name() -> None:
    found = errors({"state": "ready", "note": 1, "status": "new"})
    assert sorted(found) == ["note", "status"]
    assert "note is not a field of a change" in found["note"]


def test_an_unknown_field_with_any_name_is_refused() -> None:
    for name in ("x" * 3_000, "\ud800", "", "☕"):
        (text,) = errors({"state": "ready", name: 1}).values()
        assert len(text.encode()) < 400


def test_a_body_that_is_not_an_object_is_refused() -> None:
    for body in ("", "{", "[]", "null", '"ready"', "NaN", "[" * 4000):
        assert errors(body) == {"body": "The change must be a JSON object."}


def test_a_reason_is_visible_text() -> None:
    longest = "☕" * 200
    said: list[tuple[object, object]] = [("  out of milk ", "out of milk"), (longest, longest), (None, None)]
    for reason, kept in said:
        assert parse({"state": "cancelled", "reason": reason}).reason == kept
    wrong: list[object] = [longest + "☕", "", " \u200b", 1, [], "\ud800"]
    for other in wrong:
        assert list(errors({"state": "cancelled", "reason": other})) == ["reason"]


def test_an_idempotency_key_has_the_format_of_an_orders_key() -> None:
    for key in ("", " a", "a" * 256, "é"):
        assert list(errors(key=key)) == ["Idempotency-Key"]
    assert parse(key="a" * 255).key == "a" * 255


def test_a_large_body_is_refused_beyond_the_limit() -> None:
    parse('{"state": "ready"}' + " " * (MAX_BODY - 18))
    with pytest.raises(RefusedError) as caught:
        parse('{"state": "ready"}' + " " * (MAX_BODY - 17))
    assert caught.value.status == 413


def test_an_actor_fits_its_column() -> None:
    assert parse(actor="a" * 200).actor == "a" * 128
