"""`cafe dlq export` and `import`, and messages of every size."""

from __future__ import annotations

import json
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli import queues
from tests.cli.conftest import Cafe
from tests.cli.dead_letters import (
    BAD,
    ENVELOPED,
    GOOD,
    OWN_ID,
    confirming,
    letters,
    sent,
)
from tests.cli.stand_in import FakeAws


def test_an_export_is_imported_as_the_same_orders(dlq: Cafe, dev: FakeAws, tmp_path: Path) -> None:
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

    assert confirming("n\n", "export", str(file)).exit_code == 1
    assert file.read_text() == "mine"
    assert dlq("export", str(file), "--yes").exit_code == 0
    assert file.read_text() == ""


def test_only_a_regular_file_is_replaced(dlq: Cafe, dev: FakeAws, tmp_path: Path) -> None:
    pipe, link, file = tmp_path / "pipe", tmp_path / "link", tmp_path / "file"
    os.mkfifo(pipe)
    file.touch()
    link.symlink_to(file)
    dev.put(GOOD)

    result = dlq("export", str(pipe), "--yes")

    assert (result.exit_code, pipe.is_fifo()) == (2, True)
    assert f"{pipe} is not a regular file" in result.stderr
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
def test_a_file_that_is_not_utf_8_is_refused_with_advice(
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
        "Line 7: `message_id` and `body` must be strings",
        "Line 8: `attributes` must be as",
        "Nothing was sent, because 6 lines",
    ):
        assert sentence in result.stderr
    assert sent(dev) == []


def test_skip_bad_sends_the_good_lines_and_ends_with_1(dlq: Cafe, dev: FakeAws, tmp_path: Path) -> None:
    file = tmp_path / "letters.jsonl"
    file.write_text("{\n" + lines(FINE))

    result = dlq("import", str(file), "--skip-bad", "--yes", "--json")

    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert (document["sent"], document["bad_lines"]) == (1, {"1": "This is not JSON."})
    (body,) = sent(dev)
    assert (body["MessageId"], body["Timestamp"]) == ("m-2", "2026-11-22T14:00:00.250Z")


def test_ctrl_c_reports_the_last_line(
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
    """The size limit of a message in the order queue."""
    room = 4096
    dev.sqs.set_queue_attributes(QueueUrl=dev.queue_url, Attributes={"MaximumMessageSize": str(room)})
    return room


def largest(small: int) -> int:
    """Return the size limit of a bare order with the attribute `trace` = `1`."""
    return small - GROWTH - 2 * 36 - len("trace" + "String" + "1")


def test_a_bare_order_is_sent_if_its_identity_just_fits(dlq: Cafe, dev: FakeAws, small: int) -> None:
    dev.put(padded(largest(small)), trace="1")

    result = dlq("redrive")

    assert result.exit_code == 0, result.output
    assert len(dev.bodies(dev.queue_url)[0]) == small - len("trace" + "String" + "1")


def test_a_bare_order_too_large_for_its_identity_is_reported_and_stays(
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


def test_a_line_too_large_for_its_identity_is_a_bad_line(
    dlq: Cafe, dev: FakeAws, small: int, tmp_path: Path
) -> None:
    file = tmp_path / "letters.jsonl"
    file.write_text(lines(FINE, FINE | {"message_id": "m-3", "body": padded(small)}))

    result = dlq("import", str(file), "--yes")

    assert result.exit_code == 1
    assert "Line 2: Message m-3: With its identity and attributes it has" in result.stderr
    assert "and the queue takes 4,096: shorten its body." in result.stderr
    assert dev.bodies(dev.queue_url) == []


def test_an_enveloped_order_is_sent_byte_for_byte(dlq: Cafe, dev: FakeAws, small: int) -> None:
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
