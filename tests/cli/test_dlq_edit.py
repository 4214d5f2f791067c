"""`cafe dlq edit`: a corrected order is the same order, and another id must be free."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Cafe
from tests.cli.dead_letters import (
    BAD,
    GOOD,
    OWN_ID,
    TAKEN,
    confirming,
    letters,
    record,
    sent,
    unsent,
)
from tests.cli.stand_in import FakeAws


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

    result = confirming("n\n", "edit", message_id)

    assert result.exit_code == 1
    assert "quantity must be an integer" in result.stderr
    assert "Correct it again? [y/N]" in result.stderr
    assert (sent(dev), dev.bodies(dev.dead_letter_queue_url)) == ([], [BAD])


def test_with_yes_an_invalid_correction_is_not_asked_for_again(dlq: Cafe, dev: FakeAws, editor: Path) -> None:
    message_id = dev.put(BAD)
    editor.write_text('s/"quantity": 0/"quantity": -1/')

    result = dlq("edit", message_id, "--yes")

    assert result.exit_code == 1
    assert result.stderr.endswith("quantity must be an integer from 1 to 1000. Nothing was sent.\n")


def test_ctrl_c_reaches_the_editor_whose_output_is_on_standard_error(
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


def test_without_confirmation_nothing_is_sent(dlq: Cafe, dev: FakeAws, editor: Path) -> None:
    message_id = dev.put(BAD)
    editor.write_text('s/"quantity": 0/"quantity": 3/')

    result = confirming("no\n", "edit", message_id)

    assert result.exit_code == 1
    assert "Nothing was done." in result.stderr
    assert (sent(dev), dev.bodies(dev.dead_letter_queue_url)) == ([], [BAD])


def test_a_file_replaces_the_editor(dlq: Cafe, dev: FakeAws, tmp_path: Path) -> None:
    message_id = dev.put("poison")
    corrected = tmp_path / "corrected.json"
    corrected.write_text(GOOD)

    result = dlq("edit", message_id, "--file", str(corrected), "--yes", "--json")

    assert json.loads(result.stdout)["order_id"] == message_id
    assert sent(dev)[0]["Message"]["orderId"] == message_id


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("/nowhere/editor", "/nowhere/editor was not found"),
        ("/bin/false", "ended with exit code 1"),
        ("vi 'unclosed", "vi 'unclosed cannot be started"),
        ("/bin/true", "Nothing was changed, and nothing was sent."),
        ("", "No editor can be opened, because standard input is not a terminal"),
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


def test_a_correction_of_a_deleted_message_is_not_sent(dev: FakeAws) -> None:
    message_id = dev.put(GOOD)
    found = letters(dev).find(message_id)
    dev.sqs.purge_queue(QueueUrl=dev.dead_letter_queue_url)

    with pytest.raises(Exception, match="was not found"):
        letters(dev).replace(message_id, found)

    assert sent(dev) == []


# Another id


def test_a_conflicting_order_can_get_another_id(dlq: Cafe, dev: FakeAws, conflicting: str) -> None:
    (before,) = json.loads(dlq("list", "--json").stdout)["messages"]

    result = dlq("edit", conflicting, "--order-id", "O-8", "--yes")

    assert (result.exit_code, result.stdout) == (0, "Sent: order O-8.\n"), result.output
    (body,) = sent(dev)
    assert body["Message"] == json.loads(OWN_ID) | {"orderId": "O-8"}
    assert (body["MessageId"], body["Timestamp"]) == (conflicting, before["sent_at"])
    assert dev.bodies(dev.dead_letter_queue_url) == []


def test_another_id_can_be_typed_in_the_editor(
    dlq: Cafe, dev: FakeAws, editor: Path, conflicting: str
) -> None:
    editor.write_text("s/O-7/O-8/")

    result = dlq("edit", conflicting, "--yes")

    assert result.exit_code == 0, result.output
    assert f"Message {conflicting}: Not recorded: {TAKEN}." in result.stderr
    assert sent(dev)[0]["Message"]["orderId"] == "O-8"


@pytest.mark.parametrize("holder", [("Latte", 5), ("Tea", 1)])  # another order, and an equal one
def test_an_id_in_use_is_refused(dlq: Cafe, dev: FakeAws, conflicting: str, holder: tuple[str, int]) -> None:
    record(dev, "O-8", *holder)

    result = dlq("edit", conflicting, "--order-id", "O-8", "--yes")

    assert result.exit_code == 1
    assert "The orderId O-8 is in use: give it another one, such as O-7.20" in result.stderr
    assert unsent(dev)


def test_a_conflicting_id_is_refused_and_the_suggested_one_is_free(
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
def test_the_message_id_is_suggested_if_the_dated_id_is_too_long_or_in_use(
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
def test_an_order_without_a_conflict_keeps_its_id(dlq: Cafe, dev: FakeAws, tmp_path: Path, body: str) -> None:
    message_id = dev.put(body)
    corrected = tmp_path / "corrected.json"
    corrected.write_text(GOOD)

    result = dlq("edit", message_id, "--file", str(corrected), "--order-id", "O-9", "--yes")

    order_id = "O-7" if "O-7" in body else message_id
    assert (result.exit_code, unsent(dev)) == (1, True)
    assert f"The orderId must stay {order_id}: another id is another order." in result.stderr


@pytest.mark.parametrize("body", ["poison", BAD.replace("O-8", "O 8")])
def test_a_message_that_names_no_valid_id_can_get_one(
    dlq: Cafe, dev: FakeAws, tmp_path: Path, body: str
) -> None:
    corrected = tmp_path / "corrected.json"
    corrected.write_text(GOOD)
    record(dev, "O-7", "Tea", 1)
    edit = ("edit", dev.put(body), "--file", str(corrected), "--yes", "--order-id")

    assert "The orderId O-7 is in use" in dlq(*edit, "O-7").stderr
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


def test_a_recorded_order_cannot_get_another_id(dlq: Cafe, dev: FakeAws) -> None:
    record(dev, "O-7", "Tea", 1)
    message_id = dev.put(OWN_ID)

    result = dlq("edit", message_id, "--order-id", "O-9", "--yes")

    assert (result.exit_code, unsent(dev)) == (1, True)
    assert "The orderId must stay O-7" in result.stderr


def test_a_corrected_order_with_a_conflicting_id_needs_a_free_id(
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
def test_an_invalid_id_is_refused(dlq: Cafe, dev: FakeAws, conflicting: str, order_id: str) -> None:
    result = dlq("edit", conflicting, "--order-id", order_id, "--yes")

    assert (result.exit_code, unsent(dev)) == (1, True)
    assert "orderId must be 1 to 64 letters" in result.stderr


def test_nothing_is_sent_without_dynamodb(dlq: Cafe, dev: FakeAws, conflicting: str) -> None:
    dev.dynamodb.delete_table(TableName="Orders-dev")

    result = dlq("edit", conflicting, "--order-id", "O-8", "--yes")

    assert (result.exit_code, unsent(dev)) == (1, True)
    assert "BatchGetItem: ResourceNotFoundException" in result.stderr
