"""`cafe dlq list`, `show`, `redrive` and `purge`."""

from __future__ import annotations

import json
import re
import signal
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cli import queues, terminal
from cli.dlq.dead_letters import DeadLetters
from tests.cli.conftest import Cafe
from tests.cli.dead_letters import (
    BAD,
    ENVELOPED,
    GOOD,
    OWN_ID,
    TAKEN,
    confirming,
    letters,
    record,
    sent,
    unsent,
)
from tests.cli.stand_in import FakeAws, administrator

# list and show


def test_the_list_shows_reason_age_receives_and_body(
    dlq: Cafe, dev: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal.out, "_width", 160)  # so that no sentence is wrapped
    dev.put(BAD)
    dev.put(ENVELOPED)
    dev.put("[bold]\x1f not JSON".replace("\x1f", "\u202e"))

    result = dlq("list")

    assert (result.exit_code, result.stderr) == (0, "")
    assert "quantity must be an integer from 1 to 1000." in result.stdout
    assert "The order could not be recorded" in result.stdout
    assert r"[bold]\u202e not JSON" in result.stdout
    assert "\u202e" not in result.stdout
    assert '{"item": "Latte", "quantity": 2}' in result.stdout  # not its envelope
    assert "3 messages." in result.stdout


def test_a_long_body_is_cut_in_a_narrow_terminal(
    dlq: Cafe, dev: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal.out, "_width", 60)
    message_id = dev.put("x" * 5000)

    lines = dlq("list").stdout.splitlines()

    first = next(line for line in lines if message_id[:8] in line)
    assert [cell.strip() for cell in first.split("│")][3] == "0"
    assert "The order must be a" in first
    assert {len(line) for line in lines if "│" in line} == {60}


def test_listing_leaves_the_messages_in_the_queue(dlq: Cafe, dev: FakeAws) -> None:
    for _ in range(12):
        dev.put(BAD)

    for _ in range(3):
        assert json.loads(dlq("list", "--json").stdout)["complete"]

    assert len(dev.bodies(dev.dead_letter_queue_url)) == 12


def test_json_has_all_properties(dlq: Cafe, dev: FakeAws) -> None:
    message_id = dev.put(GOOD)

    (message,) = json.loads(dlq("list", "--json").stdout)["messages"]

    assert message["message_id"] == message["order_id"] == message_id
    assert (message["body"], message["reason"], message["receive_count"]) == (GOOD, None, 0)
    assert message["age_seconds"] <= 5


def test_binary_attributes_are_listed_exported_and_imported(dlq: Cafe, dev: FakeAws, tmp_path: Path) -> None:
    attributes: Any = {"trace": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}
    dev.sqs.send_message(QueueUrl=dev.dead_letter_queue_url, MessageBody=GOOD, MessageAttributes=attributes)
    file = tmp_path / "letters.jsonl"

    (message,) = json.loads(dlq("list", "--json").stdout)["messages"]
    assert dlq("export", str(file)).exit_code == 0
    assert dlq("import", str(file), "--yes").exit_code == 0

    assert message["attributes"] == {"trace": {"DataType": "Binary", "BinaryValue": {"base64": "AP8="}}}
    (sent_again,) = dev.sqs.receive_message(QueueUrl=dev.queue_url, MessageAttributeNames=["All"])["Messages"]
    assert sent_again["MessageAttributes"]["trace"]["BinaryValue"] == b"\x00\xff"


def test_a_limited_list_reports_that_there_is_more(dlq: Cafe, dev: FakeAws) -> None:
    for _ in range(12):
        dev.put(GOOD)

    assert "These are 3 of about 12" in dlq("list", "--limit", "3").stdout


def test_an_empty_queue_is_reported(dlq: Cafe) -> None:
    assert dlq("list").stdout == "The dead-letter queue “orders” is empty.\n"
    assert "subscription" in dlq("list", "--queue", "subscription").stdout


@pytest.mark.parametrize(
    ("words", "so"),
    [
        (("list",), "not listed"),
        (("redrive",), "not sent, unless they came back meanwhile"),
        (("purge", "--yes"), "not deleted"),
    ],
)
def test_messages_held_by_others_are_reported(
    dlq: Cafe, dev: FakeAws, words: tuple[str, ...], so: str
) -> None:
    dev.put(GOOD)
    dev.sqs.receive_message(QueueUrl=dev.dead_letter_queue_url)

    assert f"Another receiver holds 1 message now: {so}." in dlq(*words).stderr


def test_a_duplicate_of_an_erased_order_is_recorded_and_another_order_shows_no_name(
    dlq: Cafe, dev: FakeAws
) -> None:
    record(dev, "O-7", "Tea", 1, customer_name=None)
    same = dev.put('{"orderId": "O-7", "item": "Tea", "quantity": 1, "customer_name": "Ada"}')
    other = dev.put('{"orderId": "O-7", "item": "Tea", "quantity": 5, "customer_name": "Ada"}')
    found = {each["message_id"]: each for each in json.loads(dlq("list", "--json").stdout)["messages"]}
    assert (found[same]["state"], found[other]["state"]) == ("recorded", "conflicting")
    assert found[other]["state_reason"].endswith("with another quantity")
    assert "Belongs to:  1 × Tea, sent" in dlq("show", other).stdout


def test_the_list_shows_which_orders_are_recorded(
    dlq: Cafe, dev: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal.out, "width", 200)
    dev.put(BAD)
    recorded = dev.put(OWN_ID)
    waiting = dev.put('{"orderId": "O-9", "item": "Tea", "quantity": 1}')
    dev.dynamodb.put_item(TableName="Orders-dev", Item={"orderId": {"S": "O-7"}})
    reason = {"orderId": "O-9", "messageId": waiting, "reason": "MySQL error 1290"}
    dev.log({"message": "Order not processed", **reason})

    text = dlq("list").stdout
    document = json.loads(dlq("list", "--json").stdout)

    states = {message["message_id"]: message["state"] for message in document["messages"]}
    assert (states[recorded], states[waiting]) == ("recorded", "waiting")
    assert sorted(states.values()) == ["invalid", "recorded", "waiting"]
    assert "Recorded: the next sweep removes the message." in text
    assert "The order could not be recorded: MySQL error 1290 (the database is read-only)" in text


def test_a_conflicting_order_is_listed(dlq: Cafe, dev: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal.out, "_width", 200)
    record(dev, "O-7", "Latte", 2)
    conflicting, again = dev.put(OWN_ID), dev.put('{"orderId": "O-7", "item": "Latte", "quantity": 2}')

    text = dlq("list").stdout
    messages = json.loads(dlq("list", "--json").stdout)["messages"]

    assert f"Not recorded: {TAKEN}. `cafe dlq edit` gives it another id." in text
    found = {message["message_id"]: message for message in messages}
    assert (found[conflicting]["state"], found[conflicting]["state_reason"]) == ("conflicting", TAKEN)
    assert found[conflicting]["belongs_to"] == {
        "item": "Latte",
        "quantity": 2,
        "customer_name": "Guest",
        "created_at": "2026-11-22T09:30:00.000Z",
    }
    assert found[again]["state"] == "recorded"


def test_the_order_that_an_id_belongs_to_is_shown(dlq: Cafe, dev: FakeAws) -> None:
    record(dev, "O-7", "Latte", 2, "Ada")

    text = dlq("show", dev.put(OWN_ID)).stdout

    assert re.search(r"Belongs to: +2 × Latte for Ada, sent 20", text)


def test_a_conflict_in_the_workers_log_is_listed(dlq: Cafe, dev: FakeAws) -> None:
    message_id = dev.put(OWN_ID)
    line = {"orderId": "O-7", "messageId": message_id, "reason": TAKEN, "refused": True, "conflict": True}
    dev.log({"message": "Order not processed", **line})

    (message,) = json.loads(dlq("list", "--json").stdout)["messages"]

    assert (message["state"], message["state_reason"]) == ("conflicting", TAKEN)


def test_an_unknown_state_is_reported(dlq: Cafe, dev: FakeAws) -> None:
    message_id = dev.put(OWN_ID)
    dev.dynamodb.delete_table(TableName="Orders-dev")
    dev.logs.delete_log_group(logGroupName="/cafe/dev/OrderProcessor")

    text = dlq("show", message_id).stdout

    assert "It is unknown whether the order is recorded: BatchGetItem: ResourceNotFoundException" in text
    assert "Logged:      unknown, because the worker's log could not be read" in text


def test_messages_released_during_the_listing_are_not_held_by_others(dev: FakeAws) -> None:
    for _ in range(12):
        dev.put(GOOD)
    held = dev.sqs.receive_message(QueueUrl=dev.dead_letter_queue_url, MaxNumberOfMessages=10)["Messages"]

    def give_some_back(_: int) -> None:
        while len(held) > 4:
            dev.sqs.change_message_visibility(
                QueueUrl=dev.dead_letter_queue_url,
                ReceiptHandle=held.pop()["ReceiptHandle"],
                VisibilityTimeout=0,
            )

    listing = letters(dev).listed(None, advance=give_some_back)

    assert (len(listing.messages), listing.held_by_others) == (8, 4)


def test_a_message_is_shown_with_the_reason_in_the_workers_log(dlq: Cafe, dev: FakeAws) -> None:
    message_id = dev.put(BAD, ErrorMessage="away")
    dev.log({"message": "Message rejected", "messageId": message_id, "reason": "a \x1b reason"})

    result = dlq("show", message_id[:8])

    assert result.exit_code == 0, result.output
    assert f"Message:     {message_id}" in result.stdout
    assert "would be O-8" in result.stdout
    assert r"a \x1b reason" in result.stdout
    assert "“ErrorMessage”:" in result.stdout
    assert '"quantity": 0' in result.stdout


def test_an_unknown_id_is_reported(dlq: Cafe) -> None:
    result = dlq("show", "12345678")

    assert result.exit_code == 1
    assert "Message 12345678 was not found" in result.stderr


def test_an_abbreviated_id_must_have_four_characters(dlq: Cafe, dev: FakeAws) -> None:
    result = dlq("show", "1")

    assert result.exit_code == 2
    assert "at least the first 4 characters" in result.stderr


# redrive


def test_valid_orders_are_redriven_under_their_identity_and_time(dlq: Cafe, dev: FakeAws) -> None:
    bare = dev.put(GOOD, trace="1")
    for body in (OWN_ID, ENVELOPED, BAD):
        dev.put(body)

    result = dlq("redrive")

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("3 messages sent again, in ")
    assert "1 message left, which cannot be recorded unchanged: quantity must be" in result.stderr
    by_id = {body["MessageId"]: body for body in sent(dev)}
    assert by_id[bare]["Message"] == json.loads(GOOD) | {"orderId": bare}
    assert by_id["m-1"] == json.loads(ENVELOPED)
    assert len(by_id) == 3
    assert dev.bodies(dev.dead_letter_queue_url) == [BAD]


def test_a_conflicting_order_is_not_redriven(dlq: Cafe, dev: FakeAws) -> None:
    record(dev, "O-7", "Latte", 2)
    dev.put(OWN_ID)
    dev.put(ENVELOPED)

    result = dlq("redrive")

    assert result.exit_code == 0, result.output
    assert f"1 message left, which cannot be recorded unchanged: {TAKEN}" in result.stderr
    assert sent(dev) == [json.loads(ENVELOPED)]
    assert dev.bodies(dev.dead_letter_queue_url) == [OWN_ID]
    assert dlq("redrive", "--all").exit_code == 0
    assert dev.bodies(dev.dead_letter_queue_url) == []


def test_new_ids_changes_only_ids_in_use(dlq: Cafe, dev: FakeAws) -> None:
    record(dev, "O-7", "Latte", 2)
    record(dev, "m-1", "Latte", 5)
    for body in (OWN_ID, OWN_ID, ENVELOPED, BAD):
        dev.put(body)
    good = dev.put(GOOD)

    result = dlq("redrive", "--new-ids", "--json")

    document = json.loads(result.stdout)
    assert (result.exit_code, document["sent"], len(document["left"])) == (0, 4, 1), result.output
    bodies = {body["Message"]["orderId"]: body for body in sent(dev)}
    today = datetime.now(UTC).astimezone()
    day = datetime(2026, 11, 20, 10, tzinfo=UTC).astimezone()
    # Two messages of one order stay one order.
    assert bodies.keys() == {f"O-7.{today:%Y-%m-%d}", f"m-1.{day:%Y-%m-%d}", good}
    assert bodies[f"m-1.{day:%Y-%m-%d}"]["Timestamp"] == "2026-11-20T10:00:00.000Z"
    assert dev.bodies(dev.dead_letter_queue_url) == [BAD]


def test_all_sends_invalid_messages_too(dlq: Cafe, dev: FakeAws) -> None:
    dev.put("poison")

    assert dlq("redrive", "--all").exit_code == 0
    assert dev.bodies(dev.queue_url) == ["poison"]


def test_one_message_is_sent_alone(dlq: Cafe, dev: FakeAws) -> None:
    message_id = dev.put(OWN_ID)
    dev.put(GOOD)

    assert "1 message sent again" in dlq("redrive", "--id", message_id).stdout
    assert dev.bodies(dev.dead_letter_queue_url) == [GOOD]


def test_one_invalid_message_is_not_redriven(dlq: Cafe, dev: FakeAws) -> None:
    message_id = dev.put(BAD)

    assert dlq("redrive", "--id", message_id).exit_code == 1
    assert sent(dev) == []


def test_undelivered_messages_are_redriven_to_the_same_queue(dlq: Cafe, dev: FakeAws) -> None:
    dev.put(ENVELOPED, dev.undelivered_url)

    assert dlq("redrive", "--queue", "subscription").exit_code == 0
    assert sent(dev) == [json.loads(ENVELOPED)]


def test_a_rate_is_kept(dev: FakeAws) -> None:
    for _ in range(6):
        dev.put(GOOD)

    moved = letters(dev).redrive(rate=20)

    assert moved.sent == 6
    assert moved.seconds >= 0.2


def test_a_message_that_fails_at_once_is_sent_once(dev: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    dev.put(GOOD)
    there_and_back = DeadLetters(
        sqs=administrator().sqs,
        url=dev.dead_letter_queue_url,
        target_url=dev.dead_letter_queue_url,
        stop=threading.Event(),
    )

    assert there_and_back.redrive().sent == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_finishes_the_step_and_leaves_the_rest(
    dlq: Cafe, dev: FakeAws, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    for _ in range(25):
        dev.put(GOOD)
    send = queues.send

    def send_and_interrupt(*words: Any) -> list[queues.Sent]:
        results = send(*words)
        signal.raise_signal(number)
        return results

    monkeypatch.setattr(queues, "send", send_and_interrupt)
    result = dlq("redrive")

    assert result.exit_code == 130
    assert "Stopped: 10 messages sent again; the others are unchanged." in result.stderr
    assert len(sent(dev)) == 10
    assert len(dev.bodies(dev.dead_letter_queue_url)) == 15


def test_messages_that_the_queue_refuses_stay(
    dlq: Cafe, dev: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    dev.put(GOOD)

    def refuse(_sqs: object, _url: str, messages: list[Any]) -> list[queues.Sent]:
        return [queues.Sent(problem="AccessDenied: no")] * len(messages)

    monkeypatch.setattr(queues, "send", refuse)
    result = dlq("redrive", "--json")

    assert result.exit_code == 1
    assert list(json.loads(result.stdout)["failures"].values()) == ["AccessDenied: no"]
    assert "1 message not sent: AccessDenied: no" in result.stderr
    assert dev.bodies(dev.dead_letter_queue_url) == [GOOD]


def test_a_message_is_deleted_only_after_it_was_sent(dev: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    dev.put(GOOD)
    monkeypatch.setattr(queues.Scan, "delete", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))

    with pytest.raises(KeyboardInterrupt):
        letters(dev).redrive()

    assert len(sent(dev)) == 1
    assert dev.bodies(dev.dead_letter_queue_url) == [GOOD]


# purge


def test_the_confirmation_has_the_number_of_messages_and_orders(dlq: Cafe, dev: FakeAws) -> None:
    for body in (GOOD, BAD, "poison"):
        dev.put(body)

    result = confirming("y\n", "purge")

    assert (
        "Delete 3 messages from “orders” for good, 1 of them with an order, lost unless it is recorded?"
        in result.stderr
    )
    assert result.stdout == "3 messages deleted.\n"
    assert dev.bodies(dev.dead_letter_queue_url) == []


@pytest.mark.parametrize(("reply", "exit_code"), [("n\n", 1), ("\n", 1), ("", 2)])
def test_nothing_is_deleted_without_confirmation(dev: FakeAws, dlq: Cafe, reply: str, exit_code: int) -> None:
    dev.put(GOOD)

    assert confirming(reply, "purge").exit_code == exit_code
    assert dev.bodies(dev.dead_letter_queue_url) == [GOOD]


def test_invalid_deletes_only_messages_without_an_order(dlq: Cafe, dev: FakeAws) -> None:
    for body in (GOOD, BAD, "poison"):
        dev.put(body)

    assert json.loads(dlq("purge", "--invalid", "--yes", "--json").stdout)["deleted"] == 2
    assert dev.bodies(dev.dead_letter_queue_url) == [GOOD]


def test_conflicting_deletes_only_orders_with_ids_in_use(dlq: Cafe, dev: FakeAws, conflicting: str) -> None:
    for body in (GOOD, BAD):
        dev.put(body)

    result = confirming("y\n", "purge", "--conflicting")

    assert "Delete 1 message from “orders” for good, 1 of them with an order, lost unless" in result.stderr
    assert sorted(dev.bodies(dev.dead_letter_queue_url)) == sorted([GOOD, BAD])
    record(dev, conflicting, "Latte", 2)
    dev.put(GOOD.replace("{", f'{{"orderId": "{conflicting}", ').replace("Latte", "Tea"))
    assert json.loads(dlq("purge", "--conflicting", "--invalid", "--yes", "--json").stdout)["deleted"] == 2
    assert dev.bodies(dev.dead_letter_queue_url) == [GOOD]


def test_nothing_is_deleted_or_renamed_without_dynamodb(dlq: Cafe, dev: FakeAws, conflicting: str) -> None:
    dev.dynamodb.delete_table(TableName="Orders-dev")

    for words in (["purge", "--conflicting", "--yes"], ["redrive", "--new-ids"]):
        result = dlq(*words)
        assert (result.exit_code, unsent(dev)) == (1, True)
        assert "BatchGetItem: ResourceNotFoundException" in result.stderr
    assert dlq("redrive").exit_code == 0  # the worker refuses conflicts
    assert len(sent(dev)) == 1


def test_messages_after_the_confirmation_stay(dev: FakeAws) -> None:
    counted = dev.put(GOOD)
    dev.put(OWN_ID)

    assert letters(dev).purge({counted}).deleted == 1
    assert dev.bodies(dev.dead_letter_queue_url) == [OWN_ID]
