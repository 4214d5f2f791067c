"""`cafe dlq`: nothing is lost, nothing becomes another order, and nothing is done without a word about it."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import queues, terminal
from cli.dlq.dead_letters import DeadLetters
from cli.main import app
from tests.cli.conftest import Cafe
from tests.cli.stand_in import FakeAws, administrator

GOOD = '{"item": "Latte", "quantity": 2}'
OWN_ID = '{"orderId": "O-7", "item": "Tea", "quantity": 1}'
BAD = '{"orderId": "O-8", "item": "Latte", "quantity": 0}'
ENVELOPED = json.dumps(
    {"Type": "Notification", "MessageId": "m-1", "Timestamp": "2026-11-20T10:00:00.000Z", "Message": GOOD}
)


@pytest.fixture
def dlq(cafe: Cafe, dev: FakeAws, quick_clients: None) -> Cafe:
    """The command `cafe dlq` on the stack `dev`."""
    return lambda *words: cafe("dlq", *words, "--stack", "dev")


def answering(answer: str, *words: str) -> Any:
    """Type `cafe dlq`, and answer its question."""
    return CliRunner().invoke(app, ["dlq", *words, "--stack", "dev"], input=answer)


def sent(aws: FakeAws) -> list[dict[str, Any]]:
    """Return what is on the queue."""
    return [json.loads(body) for body in aws.bodies(aws.queue_url)]


def letters(aws: FakeAws, stop: threading.Event | None = None) -> DeadLetters:
    return DeadLetters(
        sqs=administrator().sqs,
        url=aws.dead_letter_queue_url,
        target_url=aws.queue_url,
        stop=stop or threading.Event(),
    )


# list and show


def test_the_list_tells_reason_age_receives_and_body(
    dlq: Cafe, dev: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal.out, "_width", 160)  # so that no sentence is broken
    dev.put(BAD)
    dev.put(ENVELOPED)
    dev.put("[bold]\x1f not JSON".replace("\x1f", "\u202e"))

    result = dlq("list")

    assert (result.exit_code, result.stderr) == (0, "")
    assert "quantity must be an integer from 1 to 1000." in result.stdout
    assert "An order, but it could not be recorded" in result.stdout
    assert r"[bold]\u202e not JSON" in result.stdout
    assert "\u202e" not in result.stdout
    assert '{"item": "Latte", "quantity": 2}' in result.stdout  # not its envelope
    assert "3 messages." in result.stdout


def test_a_long_body_takes_no_room_from_the_rest_in_a_narrow_terminal(
    dlq: Cafe, dev: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal.out, "_width", 60)
    message_id = dev.put("x" * 5000)

    lines = dlq("list").stdout.splitlines()

    first = next(line for line in lines if message_id[:8] in line)
    assert [cell.strip() for cell in first.split("│")][3] == "0"
    assert "The order must be a" in first
    assert {len(line) for line in lines if "│" in line} == {60}


def test_looking_uses_no_place_up(dlq: Cafe, dev: FakeAws) -> None:
    for _ in range(12):
        dev.put(BAD)

    for _ in range(3):
        assert json.loads(dlq("list", "--json").stdout)["complete"]

    assert len(dev.bodies(dev.dead_letter_queue_url)) == 12


def test_json_has_all_that_is_known(dlq: Cafe, dev: FakeAws) -> None:
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


def test_a_limit_says_that_there_is_more(dlq: Cafe, dev: FakeAws) -> None:
    for _ in range(12):
        dev.put(GOOD)

    assert "These are 3 of about 12" in dlq("list", "--limit", "3").stdout


def test_an_empty_queue_says_so(dlq: Cafe) -> None:
    assert dlq("list").stdout == "Nothing is in the dead-letter queue “orders”.\n"
    assert "subscription" in dlq("list", "--queue", "subscription").stdout


@pytest.mark.parametrize(
    ("words", "so"),
    [
        (("list",), "not listed"),
        (("redrive",), "not sent, unless they came back meanwhile"),
        (("purge", "--yes"), "not deleted"),
    ],
)
def test_what_somebody_else_holds_is_told(dlq: Cafe, dev: FakeAws, words: tuple[str, ...], so: str) -> None:
    dev.put(GOOD)
    dev.sqs.receive_message(QueueUrl=dev.dead_letter_queue_url)

    assert f"Somebody else holds 1 message just now: {so}." in dlq(*words).stderr


def test_the_list_tells_recorded_orders_from_those_that_could_not_be_recorded(
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
    assert "An order that could not be recorded: MySQL error 1290 (the database is read-only)" in text


TAKEN = "orderId O-7 belongs to another order, with another item, quantity"


def record(aws: FakeAws, order_id: str, item: str, quantity: int, customer_name: str = "Guest") -> None:
    """Record an order, as the worker writes it."""
    fields = {"orderId": order_id, "item": item, "customer_name": customer_name}
    fields["created_at"] = "2026-11-22T09:30:00.000+00:00"
    typed: Any = {name: {"S": value} for name, value in fields.items()}
    aws.dynamodb.put_item(TableName="Orders-dev", Item={**typed, "quantity": {"N": str(quantity)}})


def test_an_order_whose_id_belongs_to_another_one_is_listed_as_such(
    dlq: Cafe, dev: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_a_conflict_that_only_the_worker_knows_is_listed_as_such(dlq: Cafe, dev: FakeAws) -> None:
    message_id = dev.put(OWN_ID)
    line = {"orderId": "O-7", "messageId": message_id, "reason": TAKEN, "refused": True, "conflict": True}
    dev.log({"message": "Order not processed", **line})

    (message,) = json.loads(dlq("list", "--json").stdout)["messages"]

    assert (message["state"], message["state_reason"]) == ("conflicting", TAKEN)


def test_a_state_that_could_not_be_found_out_is_told_as_such(dlq: Cafe, dev: FakeAws) -> None:
    message_id = dev.put(OWN_ID)
    dev.dynamodb.delete_table(TableName="Orders-dev")
    dev.logs.delete_log_group(logGroupName="/cafe/dev/OrderProcessor")

    shown = dlq("show", message_id).stdout

    assert "An order; whether it is recorded is not known: BatchGetItem: ResourceNotFoundException" in shown
    assert "Logged:      not known, because the worker's log could not be read" in shown


def test_what_comes_back_while_the_list_is_made_is_not_held_by_others(dev: FakeAws) -> None:
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


def test_one_message_is_shown_with_what_the_worker_said(dlq: Cafe, dev: FakeAws) -> None:
    message_id = dev.put(BAD, ErrorMessage="away")
    dev.log({"message": "Message rejected", "messageId": message_id, "reason": "a \x1b reason"})

    result = dlq("show", message_id[:8])

    assert result.exit_code == 0, result.output
    assert f"Message:     {message_id}" in result.stdout
    assert "would be O-8" in result.stdout
    assert r"a \x1b reason" in result.stdout
    assert "“ErrorMessage”:" in result.stdout
    assert '"quantity": 0' in result.stdout


def test_an_id_that_is_not_there_is_told(dlq: Cafe) -> None:
    result = dlq("show", "12345678")

    assert result.exit_code == 1
    assert "There is no message 12345678 here just now" in result.stderr


def test_a_beginning_that_several_ids_have_is_not_enough(dlq: Cafe, dev: FakeAws) -> None:
    result = dlq("show", "1")

    assert result.exit_code == 2
    assert "at least the first 4 characters" in result.stderr


# redrive


def test_orders_are_sent_under_their_identity_and_time_and_the_rest_stays(dlq: Cafe, dev: FakeAws) -> None:
    bare = dev.put(GOOD, trace="1")
    for body in (OWN_ID, ENVELOPED, BAD):
        dev.put(body)

    result = dlq("redrive")

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("3 messages sent again, in ")
    assert "1 message left, which cannot be recorded as it is: quantity must be" in result.stderr
    by_id = {body["MessageId"]: body for body in sent(dev)}
    assert by_id[bare]["Message"] == json.loads(GOOD) | {"orderId": bare}
    assert by_id["m-1"] == json.loads(ENVELOPED)
    assert len(by_id) == 3
    assert dev.bodies(dev.dead_letter_queue_url) == [BAD]


def test_an_order_whose_id_belongs_to_another_one_would_come_back_and_stays(dlq: Cafe, dev: FakeAws) -> None:
    record(dev, "O-7", "Latte", 2)
    dev.put(OWN_ID)
    dev.put(ENVELOPED)

    result = dlq("redrive")

    assert result.exit_code == 0, result.output
    assert f"1 message left, which cannot be recorded as it is: {TAKEN}" in result.stderr
    assert sent(dev) == [json.loads(ENVELOPED)]
    assert dev.bodies(dev.dead_letter_queue_url) == [OWN_ID]
    assert dlq("redrive", "--all").exit_code == 0
    assert dev.bodies(dev.dead_letter_queue_url) == []


def test_orders_with_used_ids_get_new_ones_on_request_and_the_others_keep_theirs(
    dlq: Cafe, dev: FakeAws
) -> None:
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


def test_everything_is_sent_on_request(dlq: Cafe, dev: FakeAws) -> None:
    dev.put("poison")

    assert dlq("redrive", "--all").exit_code == 0
    assert dev.bodies(dev.queue_url) == ["poison"]


def test_one_message_is_sent_alone(dlq: Cafe, dev: FakeAws) -> None:
    message_id = dev.put(OWN_ID)
    dev.put(GOOD)

    assert "1 message sent again" in dlq("redrive", "--id", message_id).stdout
    assert dev.bodies(dev.dead_letter_queue_url) == [GOOD]


def test_one_message_that_holds_no_order_is_a_no(dlq: Cafe, dev: FakeAws) -> None:
    message_id = dev.put(BAD)

    assert dlq("redrive", "--id", message_id).exit_code == 1
    assert sent(dev) == []


def test_what_sns_could_not_deliver_goes_to_the_same_queue(dlq: Cafe, dev: FakeAws) -> None:
    dev.put(ENVELOPED, dev.undelivered_url)

    assert dlq("redrive", "--queue", "subscription").exit_code == 0
    assert sent(dev) == [json.loads(ENVELOPED)]


def test_a_rate_is_kept(dev: FakeAws) -> None:
    for _ in range(6):
        dev.put(GOOD)

    moved = letters(dev).redrive(rate=20)

    assert moved.sent == 6
    assert moved.seconds >= 0.2


def test_what_comes_back_at_once_is_not_sent_round_and_round(
    dev: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    assert "Stopped: 10 messages sent again; the others are where they were." in result.stderr
    assert len(sent(dev)) == 10
    assert len(dev.bodies(dev.dead_letter_queue_url)) == 15


def test_what_the_queue_refuses_stays(dlq: Cafe, dev: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
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
    monkeypatch.setattr(queues.Look, "delete", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))

    with pytest.raises(KeyboardInterrupt):
        letters(dev).redrive()

    assert len(sent(dev)) == 1
    assert dev.bodies(dev.dead_letter_queue_url) == [GOOD]


# edit


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An editor that runs the script `sed` on the file."""
    script = tmp_path / "sed"
    script.write_text("s/x/x/")
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("PATH", "/usr/bin:/bin", prepend=":")
    monkeypatch.setenv("EDITOR", f"/bin/sed -i -f '{script}'")
    return script


def test_a_corrected_order_is_sent_under_the_same_id_and_time(dlq: Cafe, dev: FakeAws, editor: Path) -> None:
    message_id = dev.put(BAD)
    editor.write_text('s/"quantity": 0/"quantity": 3/')

    result = dlq("edit", message_id, "--yes")

    assert result.exit_code == 0, result.output
    assert result.stdout == "Sent: order O-8.\n"
    (body,) = sent(dev)
    assert body["MessageId"] == message_id
    assert body["Message"] == {"orderId": "O-8", "item": "Latte", "quantity": 3}
    assert dev.bodies(dev.dead_letter_queue_url) == []


def test_an_order_that_is_still_wrong_is_not_sent(dlq: Cafe, dev: FakeAws, editor: Path) -> None:
    message_id = dev.put(BAD)
    editor.write_text('s/"quantity": 0/"quantity": -1/')

    result = answering("n\n", "edit", message_id)

    assert result.exit_code == 1
    assert "quantity must be an integer" in result.stderr
    assert "Correct it again? [y/N]" in result.stderr
    assert (sent(dev), dev.bodies(dev.dead_letter_queue_url)) == ([], [BAD])


def test_who_says_yes_to_all_is_not_asked_to_correct_it_again(dlq: Cafe, dev: FakeAws, editor: Path) -> None:
    message_id = dev.put(BAD)
    editor.write_text('s/"quantity": 0/"quantity": -1/')

    result = dlq("edit", message_id, "--yes")

    assert result.exit_code == 1
    assert result.stderr.endswith("quantity must be an integer from 1 to 1000. Nothing was sent.\n")


def test_ctrl_c_is_the_editors_and_what_it_paints_is_no_result(
    dlq: Cafe,
    dev: FakeAws,
    editor: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    message_id = dev.put(BAD)
    editor.write_text('echo painted\nkill -INT $PPID\nsed -i s/0/3/ "$1"')
    monkeypatch.setenv("EDITOR", f"sh '{editor}'")

    result = dlq("edit", message_id, "--yes", "--json")

    assert result.exit_code == 0, result.output
    assert capfd.readouterr() == ("", "painted\n")


def test_a_no_sends_nothing(dlq: Cafe, dev: FakeAws, editor: Path) -> None:
    message_id = dev.put(BAD)
    editor.write_text('s/"quantity": 0/"quantity": 3/')

    result = answering("no\n", "edit", message_id)

    assert result.exit_code == 1
    assert "Nothing was done." in result.stderr
    assert (sent(dev), dev.bodies(dev.dead_letter_queue_url)) == ([], [BAD])


def test_a_file_stands_in_for_the_editor(dlq: Cafe, dev: FakeAws, tmp_path: Path) -> None:
    message_id = dev.put("poison")
    corrected = tmp_path / "corrected.json"
    corrected.write_text(GOOD)

    result = dlq("edit", message_id, "--file", str(corrected), "--yes", "--json")

    assert json.loads(result.stdout)["order_id"] == message_id
    assert sent(dev)[0]["Message"]["orderId"] == message_id


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("/nowhere/editor", "/nowhere/editor is not there"),
        ("/bin/false", "ended with 1"),
        ("vi 'unclosed", "vi 'unclosed cannot be started"),
        ("/bin/true", "Nothing was changed, and nothing was sent."),
        ("", "No editor can be opened here, because this is no terminal"),
    ],
)
def test_an_editor_that_fails_changes_nothing(
    dlq: Cafe, dev: FakeAws, monkeypatch: pytest.MonkeyPatch, command: str, sentence: str
) -> None:
    message_id = dev.put(BAD)
    monkeypatch.setenv("VISUAL", command)
    monkeypatch.delenv("EDITOR", raising=False)

    result = dlq("edit", message_id)

    assert result.exit_code in {1, 2}
    assert sentence in result.stderr
    assert dev.bodies(dev.dead_letter_queue_url) == [BAD]


def test_a_message_that_went_away_meanwhile_is_not_sent(dev: FakeAws) -> None:
    message_id = dev.put(GOOD)
    found = letters(dev).find(message_id)
    dev.sqs.purge_queue(QueueUrl=dev.dead_letter_queue_url)

    with pytest.raises(Exception, match="no message"):
        letters(dev).replace(message_id, found)

    assert sent(dev) == []


# Another id


@pytest.fixture
def conflicting(dev: FakeAws) -> str:
    """A message whose order has the id of another order that is recorded."""
    record(dev, "O-7", "Latte", 2)
    return dev.put(OWN_ID)


def unsent(aws: FakeAws) -> bool:
    """Return whether nothing was sent, and the one message is where it was."""
    return (sent(aws), len(aws.bodies(aws.dead_letter_queue_url))) == ([], 1)


def test_an_order_whose_id_belongs_to_another_one_can_get_another_id(
    dlq: Cafe, dev: FakeAws, conflicting: str
) -> None:
    (before,) = json.loads(dlq("list", "--json").stdout)["messages"]

    result = dlq("edit", conflicting, "--order-id", "O-8", "--yes")

    assert (result.exit_code, result.stdout) == (0, "Sent: order O-8.\n"), result.output
    (body,) = sent(dev)
    assert body["Message"] == json.loads(OWN_ID) | {"orderId": "O-8"}
    assert (body["MessageId"], body["Timestamp"]) == (conflicting, before["sent_at"])
    assert dev.bodies(dev.dead_letter_queue_url) == []


def test_the_other_id_can_be_written_in_the_editor(
    dlq: Cafe, dev: FakeAws, editor: Path, conflicting: str
) -> None:
    editor.write_text("s/O-7/O-8/")

    result = dlq("edit", conflicting, "--yes")

    assert result.exit_code == 0, result.output
    assert f"Message {conflicting}: Not recorded: {TAKEN}." in result.stderr
    assert sent(dev)[0]["Message"]["orderId"] == "O-8"


@pytest.mark.parametrize("holder", [("Latte", 5), ("Tea", 1)])  # another order, and one that looks the same
def test_an_id_that_is_taken_is_refused(
    dlq: Cafe, dev: FakeAws, conflicting: str, holder: tuple[str, int]
) -> None:
    record(dev, "O-8", *holder)

    result = dlq("edit", conflicting, "--order-id", "O-8", "--yes")

    assert result.exit_code == 1
    assert "The orderId O-8 is taken: give it another one, such as O-7.20" in result.stderr
    assert unsent(dev)


def test_an_id_that_belongs_to_another_order_cannot_stay_and_the_one_that_is_offered_is_free(
    dlq: Cafe, dev: FakeAws, conflicting: str, tmp_path: Path
) -> None:
    corrected = tmp_path / "corrected.json"
    corrected.write_text('{"item": "Tea", "quantity": 3}')

    result = dlq("edit", conflicting, "--file", str(corrected), "--yes")

    assert result.exit_code == 1
    assert unsent(dev)
    (free,) = re.findall(rf"{TAKEN}: give it another id, such as (\S+)\. Nothing was sent", result.stderr)
    assert dlq("edit", conflicting, "--file", str(corrected), "--order-id", free, "--yes").exit_code == 0
    assert sent(dev)[0]["Message"] == {"orderId": free, "item": "Tea", "quantity": 3}


@pytest.mark.parametrize("order_id", ["i" * 64, "O-7"])
def test_an_id_that_cannot_be_made_longer_or_is_taken_each_day_is_offered_as_the_messages(
    dlq: Cafe, dev: FakeAws, order_id: str
) -> None:
    today = datetime.now(UTC).astimezone()
    for taken in (order_id, *(f"O-7.{today + timedelta(days=days):%Y-%m-%d}" for days in (-1, 0, 1))):
        record(dev, taken, "Latte", 2)
    message_id = dev.put(json.dumps({"orderId": order_id, "item": "Tea", "quantity": 1}))

    result = dlq("edit", message_id, "--order-id", order_id, "--yes")

    assert f"give it another id, such as {message_id}. Nothing was sent." in result.stderr


def test_an_order_that_is_corrected_to_the_one_that_is_recorded_is_that_order(
    dlq: Cafe, dev: FakeAws, conflicting: str, editor: Path
) -> None:
    editor.write_text('s/Tea/Latte/; s/"quantity": 1/"quantity": 2/')

    assert dlq("edit", conflicting, "--yes").exit_code == 0
    assert sent(dev)[0]["Message"] == {"orderId": "O-7", "item": "Latte", "quantity": 2}


@pytest.mark.parametrize(
    "body",
    [
        BAD.replace("O-8", "O-7"),  # its id may be known elsewhere
        GOOD,  # it may be in the database already
        OWN_ID,
    ],
)
def test_an_order_whose_id_belongs_to_no_other_one_keeps_it(
    dlq: Cafe, dev: FakeAws, tmp_path: Path, body: str
) -> None:
    message_id = dev.put(body)
    corrected = tmp_path / "corrected.json"
    corrected.write_text(GOOD)

    result = dlq("edit", message_id, "--file", str(corrected), "--order-id", "O-9", "--yes")

    order_id = "O-7" if "O-7" in body else message_id
    assert (result.exit_code, unsent(dev)) == (1, True)
    assert f"The orderId must stay {order_id}: another one is another order." in result.stderr


@pytest.mark.parametrize("body", ["poison", BAD.replace("O-8", "O 8")])
def test_a_message_that_names_no_valid_id_can_get_one(
    dlq: Cafe, dev: FakeAws, tmp_path: Path, body: str
) -> None:
    corrected = tmp_path / "corrected.json"
    corrected.write_text(GOOD)
    record(dev, "O-7", "Tea", 1)
    edit = ("edit", dev.put(body), "--file", str(corrected), "--yes", "--order-id")

    assert "The orderId O-7 is taken" in dlq(*edit, "O-7").stderr
    assert dlq(*edit, "O-9").exit_code == 0
    assert sent(dev)[0]["Message"] == json.loads(GOOD) | {"orderId": "O-9"}


def test_an_order_that_conflicts_with_one_that_dynamodb_lacks_can_get_another_id(
    dlq: Cafe, dev: FakeAws
) -> None:
    message_id = dev.put(OWN_ID)
    line = {"orderId": "O-7", "messageId": message_id, "reason": TAKEN, "refused": True, "conflict": True}
    dev.log({"message": "Order not processed", **line})

    assert dlq("edit", message_id, "--order-id", "O-8", "--yes").exit_code == 0
    assert sent(dev)[0]["Message"]["orderId"] == "O-8"


def test_an_order_that_is_recorded_under_its_id_gets_no_second_one(dlq: Cafe, dev: FakeAws) -> None:
    record(dev, "O-7", "Tea", 1)
    message_id = dev.put(OWN_ID)

    result = dlq("edit", message_id, "--order-id", "O-9", "--yes")

    assert (result.exit_code, unsent(dev)) == (1, True)
    assert "The orderId must stay O-7" in result.stderr


def test_an_invalid_order_whose_id_belongs_to_another_one_is_refused_until_it_has_a_free_id(
    dlq: Cafe, dev: FakeAws, editor: Path
) -> None:
    record(dev, "O-8", "Tea", 1)
    message_id = dev.put(BAD)
    editor.write_text('s/"quantity": 0/"quantity": 3/')

    refused = dlq("edit", message_id, "--yes")
    editor.write_text('s/"quantity": 0/"quantity": 3/; s/O-8/O-9/')

    assert "orderId O-8 belongs to another order, with another item, quantity" in refused.stderr
    assert dlq("edit", message_id, "--yes").exit_code == 0
    assert sent(dev)[0]["Message"] == {"orderId": "O-9", "item": "Latte", "quantity": 3}


@pytest.mark.parametrize("order_id", ["O 9", "", "ö", "o" * 65])
def test_an_id_that_is_none_is_refused(dlq: Cafe, dev: FakeAws, conflicting: str, order_id: str) -> None:
    result = dlq("edit", conflicting, "--order-id", order_id, "--yes")

    assert (result.exit_code, unsent(dev)) == (1, True)
    assert "orderId must be 1 to 64 letters" in result.stderr


def test_nothing_is_sent_while_nobody_knows_which_ids_are_taken(
    dlq: Cafe, dev: FakeAws, conflicting: str
) -> None:
    dev.dynamodb.delete_table(TableName="Orders-dev")

    result = dlq("edit", conflicting, "--order-id", "O-8", "--yes")

    assert (result.exit_code, unsent(dev)) == (1, True)
    assert "BatchGetItem: ResourceNotFoundException" in result.stderr


# purge


def test_the_question_says_how_many_and_what_would_be_lost(dlq: Cafe, dev: FakeAws) -> None:
    for body in (GOOD, BAD, "poison"):
        dev.put(body)

    result = answering("y\n", "purge")

    assert (
        "Delete 3 messages from “orders” for good, 1 of them with an order, lost unless it is recorded?"
        in result.stderr
    )
    assert result.stdout == "3 messages deleted.\n"
    assert dev.bodies(dev.dead_letter_queue_url) == []


@pytest.mark.parametrize(("answer", "exit_code"), [("n\n", 1), ("\n", 1), ("", 2)])
def test_without_a_yes_nothing_is_deleted(dev: FakeAws, dlq: Cafe, answer: str, exit_code: int) -> None:
    dev.put(GOOD)

    assert answering(answer, "purge").exit_code == exit_code
    assert dev.bodies(dev.dead_letter_queue_url) == [GOOD]


def test_what_holds_no_order_is_deleted_alone(dlq: Cafe, dev: FakeAws) -> None:
    for body in (GOOD, BAD, "poison"):
        dev.put(body)

    assert json.loads(dlq("purge", "--invalid", "--yes", "--json").stdout)["deleted"] == 2
    assert dev.bodies(dev.dead_letter_queue_url) == [GOOD]


def test_orders_with_used_ids_are_deleted_alone(dlq: Cafe, dev: FakeAws, conflicting: str) -> None:
    for body in (GOOD, BAD):
        dev.put(body)

    result = answering("y\n", "purge", "--conflicting")

    assert "Delete 1 message from “orders” for good, 1 of them with an order, lost unless" in result.stderr
    assert sorted(dev.bodies(dev.dead_letter_queue_url)) == sorted([GOOD, BAD])
    record(dev, conflicting, "Latte", 2)
    dev.put(GOOD.replace("{", f'{{"orderId": "{conflicting}", ').replace("Latte", "Tea"))
    assert json.loads(dlq("purge", "--conflicting", "--invalid", "--yes", "--json").stdout)["deleted"] == 2
    assert dev.bodies(dev.dead_letter_queue_url) == [GOOD]


def test_nothing_is_deleted_or_renamed_while_nobody_knows_which_ids_are_taken(
    dlq: Cafe, dev: FakeAws, conflicting: str
) -> None:
    dev.dynamodb.delete_table(TableName="Orders-dev")

    for words in (["purge", "--conflicting", "--yes"], ["redrive", "--new-ids"]):
        result = dlq(*words)
        assert (result.exit_code, unsent(dev)) == (1, True)
        assert "BatchGetItem: ResourceNotFoundException" in result.stderr
    assert dlq("redrive").exit_code == 0  # the worker knows
    assert len(sent(dev)) == 1


def test_what_came_after_the_question_stays(dev: FakeAws) -> None:
    counted = dev.put(GOOD)
    dev.put(OWN_ID)

    assert letters(dev).purge({counted}).deleted == 1
    assert dev.bodies(dev.dead_letter_queue_url) == [OWN_ID]


# export and import


def test_what_was_exported_is_imported_as_the_same_orders(dlq: Cafe, dev: FakeAws, tmp_path: Path) -> None:
    bare = dev.put(GOOD, trace="1")
    dev.put(ENVELOPED)
    file = tmp_path / "letters.jsonl"

    assert dlq("export", str(file)).stdout == f"2 messages written to {file}.\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(dev.bodies(dev.dead_letter_queue_url)) == 2
    result = dlq("import", str(file), "--yes")

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("2 of 2 orders sent, in ")
    by_id = {body["MessageId"]: body for body in sent(dev)}
    assert by_id["m-1"] == json.loads(ENVELOPED)
    assert by_id[bare]["Message"]["orderId"] == bare
    exported = [json.loads(line) for line in file.read_text().splitlines()]
    assert by_id[bare]["Timestamp"] == next(e["sent_at"] for e in exported if e["message_id"] == bare)


def test_a_file_is_overwritten_only_on_request(dlq: Cafe, dev: FakeAws, tmp_path: Path) -> None:
    file = tmp_path / "letters.jsonl"
    file.write_text("mine")

    assert answering("n\n", "export", str(file)).exit_code == 1
    assert file.read_text() == "mine"
    assert dlq("export", str(file), "--yes").exit_code == 0
    assert file.read_text() == ""


def test_what_is_no_ordinary_file_is_not_replaced(dlq: Cafe, dev: FakeAws, tmp_path: Path) -> None:
    pipe, link, file = tmp_path / "pipe", tmp_path / "link", tmp_path / "file"
    os.mkfifo(pipe)
    file.touch()
    link.symlink_to(file)
    dev.put(GOOD)

    result = dlq("export", str(pipe), "--yes")

    assert (result.exit_code, pipe.is_fifo()) == (2, True)
    assert f"{pipe} is no ordinary file" in result.stderr
    assert dlq("export", str(link), "--yes").exit_code == 0
    assert link.is_symlink()
    assert json.loads(file.read_text())["body"] == GOOD


def lines(*documents: object) -> str:
    return "".join(f"{json.dumps(document)}\n" for document in documents)


FINE = {"message_id": "m-2", "sent_at": "2026-11-22T14:00:00.250Z", "body": GOOD}


def test_an_import_of_an_order_from_the_future_gives_it_the_time_of_the_import(
    dlq: Cafe, dev: FakeAws, tmp_path: Path
) -> None:
    file = tmp_path / "letters.jsonl"
    future = json.dumps(
        {"Type": "Notification", "MessageId": "m-1", "Timestamp": "2036-01-01T00:00:00Z", "Message": GOOD}
    )
    lines = [
        {"message_id": "a1b2", "sent_at": "2036-02-03T00:00:00Z", "body": GOOD},
        {"message_id": "a1b3", "sent_at": "2026-11-22T13:00:00Z", "body": future},
        {"message_id": "a1b4", "sent_at": "2026-11-22T13:00:00Z", "body": GOOD},
    ]
    file.write_text("\n".join(map(json.dumps, lines)))
    before = datetime.now(UTC)

    result = dlq("import", str(file), "--yes", "--json")

    times = [datetime.fromisoformat(message["Timestamp"]) for message in sent(dev)]
    assert result.exit_code == 0
    assert json.loads(result.stdout)["ignored_times"] == {
        "1": "2036-02-03T00:00:00.000Z",
        "2": "2036-01-01T00:00:00Z",
    }
    assert "Line 1: 2036-02-03T00:00:00.000Z is in the future; the order gets 20" in result.stderr
    assert abs(times[0] - before) < timedelta(minutes=1)
    assert times[1:] == [datetime(2026, 11, 22, 13, tzinfo=UTC)] * 2


TEXT = "\n".join(json.dumps(FINE | {"message_id": f"m-{number}"}) for number in (1, 2)) + "\n"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(TEXT.encode("utf-8-sig"), id="bom"),
        pytest.param(TEXT.replace("\n", "\r\n").encode("utf-8-sig"), id="bom and crlf"),
        pytest.param(TEXT.replace("\n", "\r").encode(), id="cr"),
        pytest.param(b"".join(line.encode("utf-8-sig") for line in TEXT.splitlines(True)), id="joined"),
        pytest.param(TEXT.rstrip().encode(), id="no end of line"),
    ],
)
def test_a_file_of_any_editor_is_imported(dlq: Cafe, dev: FakeAws, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "letters").write_bytes(content)

    result = dlq("import", str(tmp_path / "letters"), "--yes")

    assert (result.exit_code, len(sent(dev))) == (0, 2), result.output


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_file_that_is_not_utf_8_says_what_to_do(
    dlq: Cafe, dev: FakeAws, tmp_path: Path, encoding: str
) -> None:
    file = tmp_path / "letters"
    file.write_bytes(TEXT.encode(encoding))
    message_id = dev.put(BAD)

    for words in (["import", str(file)], ["edit", message_id, "--file", str(file)]):
        result = dlq(*words, "--yes")
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == f"{file} is not UTF-8 text: save it as UTF-8, and try again.\n"
    assert sent(dev) == []


@pytest.mark.parametrize("content", ["\ufeff" + OWN_ID, "\ufeff" + OWN_ID.replace(" ", "\r\n") + "\r\n"])
def test_a_correction_may_have_a_bom_and_crlf(dlq: Cafe, dev: FakeAws, tmp_path: Path, content: str) -> None:
    (tmp_path / "corrected.json").write_bytes(content.replace("O-7", "O-8").encode())

    result = dlq("edit", dev.put(BAD), "--file", str(tmp_path / "corrected.json"), "--yes")

    assert result.exit_code == 0, result.output
    assert len(sent(dev)) == 1


@pytest.mark.parametrize(
    "moment",
    ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00+14:00", "0000-01-01T00:00Z", "2016-12-31T23:59:60Z", ""],
)
def test_a_line_with_an_impossible_time_is_a_bad_line(
    dlq: Cafe, dev: FakeAws, tmp_path: Path, moment: str
) -> None:
    (tmp_path / "letters").write_text(lines(FINE | {"sent_at": moment}))

    result = dlq("import", str(tmp_path / "letters"), "--yes", "--json")

    assert result.exit_code == 1
    assert "`sent_at` must be a time" in json.loads(result.stdout)["bad_lines"]["1"]


def test_bad_lines_are_named_and_nothing_is_sent(dlq: Cafe, dev: FakeAws, tmp_path: Path) -> None:
    file = tmp_path / "letters.jsonl"
    file.write_text(
        lines(FINE, FINE | {"sent_at": "14:00"}, FINE | {"body": BAD})
        + "{\n\n"
        + lines([], {"body": GOOD}, FINE | {"attributes": {"a": 1}})
    )

    result = dlq("import", str(file), "--yes")

    assert result.exit_code == 1
    for sentence in (
        "Line 2: `sent_at` must be a time with its zone",
        "Line 3: quantity must be an integer",
        "Line 4: This is not JSON.",
        "Line 6: This is not a JSON object.",
        "Line 7: `message_id` and `body` must be there",
        "Line 8: `attributes` is not as",
        "Nothing was sent, because 6 lines",
    ):
        assert sentence in result.stderr
    assert sent(dev) == []


def test_good_lines_are_sent_on_request_and_it_is_still_a_no(dlq: Cafe, dev: FakeAws, tmp_path: Path) -> None:
    file = tmp_path / "letters.jsonl"
    file.write_text("{\n" + lines(FINE))

    result = dlq("import", str(file), "--skip-bad", "--yes", "--json")

    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert (document["sent"], document["bad_lines"]) == (1, {"1": "This is not JSON."})
    (body,) = sent(dev)
    assert (body["MessageId"], body["Timestamp"]) == ("m-2", "2026-11-22T14:00:00.250Z")


def test_ctrl_c_says_after_which_line_it_stopped(
    dlq: Cafe, dev: FakeAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "letters.jsonl"
    file.write_text(lines(*(FINE | {"message_id": f"m-{number}"} for number in range(25))))
    send = queues.send

    def send_and_interrupt(*words: Any) -> list[queues.Sent]:
        signal.raise_signal(signal.SIGINT)
        return send(*words)

    monkeypatch.setattr(queues, "send", send_and_interrupt)
    result = dlq("import", str(file), "--yes")

    assert result.exit_code == 130
    assert "Stopped after line 10: 10 of 25 orders were sent." in result.stderr
    assert len(sent(dev)) == 10


@pytest.mark.parametrize("words", [("import", "/nowhere/file", "--yes"), ("export", "/nowhere/file")])
def test_a_file_that_cannot_be_opened_is_wrong_usage(dlq: Cafe, words: tuple[str, ...]) -> None:
    result = dlq(*words)

    assert result.exit_code == 2
    assert "/nowhere/file cannot be" in result.stderr


GROWTH = len('{"Type": "Notification", "MessageId": "", "Timestamp": "", "Message": , "orderId": ""}') + 24


def padded(size: int) -> str:
    """Return an order of so many bytes, most of which JSON would escape in a string."""
    start, end = '{"item": "Latte", "quantity": 2, "note": "', '"}'
    rest = size - len(start) - len(end)
    return start + '\\"' * (rest // 2) + "x" * (rest % 2) + end


@pytest.fixture
def small(dev: FakeAws) -> int:
    """The bytes that a message of the order queue may have."""
    room = 4096
    dev.sqs.set_queue_attributes(QueueUrl=dev.queue_url, Attributes={"MaximumMessageSize": str(room)})
    return room


def largest(small: int) -> int:
    """Return how many bytes a bare order with the attribute `trace` = `1` may have."""
    return small - GROWTH - 2 * 36 - len("trace" + "String" + "1")


def test_a_bare_order_goes_out_if_its_identity_just_fits(dlq: Cafe, dev: FakeAws, small: int) -> None:
    dev.put(padded(largest(small)), trace="1")

    result = dlq("redrive")

    assert result.exit_code == 0, result.output
    assert len(dev.bodies(dev.queue_url)[0]) == small - len("trace" + "String" + "1")


def test_a_bare_order_without_room_for_its_identity_is_named_and_stays(
    dlq: Cafe, dev: FakeAws, small: int
) -> None:
    message_id = dev.put(padded(largest(small) + 1), trace="1")
    dev.put(OWN_ID)

    result = dlq("redrive")

    assert result.exit_code == 1
    assert f"1 message not sent: Message {message_id}: With its identity" in result.stderr
    assert f"4,097 bytes, and the queue takes 4,096: shorten it with `cafe dlq edit {message_id}`." in (
        result.stderr
    )
    assert len(dev.bodies(dev.queue_url)) == 1
    assert len(dev.bodies(dev.dead_letter_queue_url)) == 1


def test_a_line_without_room_for_its_identity_is_a_bad_line(
    dlq: Cafe, dev: FakeAws, small: int, tmp_path: Path
) -> None:
    file = tmp_path / "letters.jsonl"
    file.write_text(lines(FINE, FINE | {"message_id": "m-3", "body": padded(small)}))

    result = dlq("import", str(file), "--yes")

    assert result.exit_code == 1
    assert "Line 2: Message m-3: With its identity and attributes it has" in result.stderr
    assert "and the queue takes 4,096: shorten its body." in result.stderr
    assert dev.bodies(dev.queue_url) == []


def test_an_enveloped_order_goes_out_byte_for_byte(dlq: Cafe, dev: FakeAws, small: int) -> None:
    body = ENVELOPED.replace("m-1", "m-2").replace(": ", " :") + " " * 99
    dev.put(body + " " * (small - len(body)))

    assert dlq("redrive").exit_code == 0
    assert dev.bodies(dev.queue_url) == [body + " " * (small - len(body))]


def test_a_bare_order_of_a_megabyte_is_sent_again(dlq: Cafe, dev: FakeAws) -> None:
    body = padded(200_000).replace("}", f', "pad": "{"x" * 848_000}"}}')
    dev.put(body)

    result = dlq("redrive", "--all")

    assert result.exit_code == 0, result.output
    (again,) = dev.bodies(dev.queue_url)
    assert len(again) <= len(body) + 300


def test_numbers_are_exported_and_imported_as_they_were_sent(dlq: Cafe, dev: FakeAws, tmp_path: Path) -> None:
    number = "0.1234567890123456712345678901"
    text = f'{{"item": "Latte", "quantity": 1e0, "n": [{number}, 1.10, 3.4028235e38]}}'
    dev.put(text)
    file = tmp_path / "letters.jsonl"

    assert dlq("export", str(file)).exit_code == 0
    assert json.loads(file.read_text())["body"] == text
    assert dlq("import", str(file), "--yes").exit_code == 0

    (body,) = dev.bodies(dev.queue_url)
    assert f'"Message": {text[:-1]}, "orderId": ' in body


def test_large_messages_go_in_requests_that_fit(dev: FakeAws) -> None:
    for number in range(5):
        dev.put(json.dumps({"orderId": f"O-{number}", "item": "Tea", "quantity": 1, "note": "n" * 100_000}))

    moved = letters(dev).redrive()

    assert (moved.sent, moved.failures, moved.problem) == (5, {}, None)
