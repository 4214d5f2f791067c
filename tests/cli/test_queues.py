"""Batches of messages: each has its own result, also in a request that fails in part."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli import queues
from cli.queues import Outgoing, Sent
from tests.cli.conftest import Cafe
from tests.cli.dead_letters import GOOD, sent
from tests.cli.stand_in import FakeAws, administrator

REPLY = {
    "Successful": [{"Id": "1", "MessageId": "m-1"}],
    "Failed": [{"Id": "0", "Code": "InternalError", "Message": "try again"}],
}
RESULTS = [
    Sent(problem="InternalError: try again"),
    Sent(message_id="m-1"),
    Sent(problem="It is missing in the response"),
]


class Client:
    """A client of SQS and SNS that accepts the second message of a batch and refuses the first."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> object:  # noqa: N803
        self.entries = Entries
        return REPLY

    def publish_batch(
        self,
        *,
        TopicArn: str,  # noqa: N803
        PublishBatchRequestEntries: list[dict[str, Any]],  # noqa: N803
    ) -> object:
        self.entries = PublishBatchRequestEntries
        return REPLY


@pytest.mark.parametrize(("send", "name"), [(queues.send, "MessageBody"), (queues.publish, "Message")])
def test_each_message_of_a_batch_has_its_own_result(send: Any, name: str) -> None:
    client = Client()

    results = send(client, "here", [Outgoing(body=text, attributes={}) for text in "abc"])

    assert results == RESULTS
    assert [entry[name] for entry in client.entries] == ["a", "b", "c"]


def test_a_message_that_is_sent_and_not_deleted_is_reported_and_visible_again(
    dlq: Cafe, dev: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [dev.put(GOOD) for _ in range(3)]
    delete = administrator().sqs.delete_message_batch

    def delete_others(*, QueueUrl: str, Entries: list[Any]) -> object:  # noqa: N803
        delete(QueueUrl=QueueUrl, Entries=[entry for entry in Entries if entry["Id"] != names[1]])
        return {"Failed": [{"Id": names[1], "Code": "InternalError", "SenderFault": False}]}

    monkeypatch.setattr(administrator().sqs, "delete_message_batch", delete_others)
    result = dlq("redrive", "--json")

    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert (document["sent"], document["undeleted"]) == (3, {names[1]: "InternalError"})
    assert dev.bodies(dev.dead_letter_queue_url) == [GOOD]


def test_a_redrive_that_ends_early_reports_what_was_sent(
    dlq: Cafe, dev: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(15):
        dev.put(GOOD)
    receive, calls = administrator().sqs.receive_message, []

    def receive_once(**request: Any) -> Any:
        calls.append(request)
        if len(calls) > 1:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ReceiveMessage")
        return receive(**request)

    with monkeypatch.context() as patch:
        patch.setattr(administrator().sqs, "receive_message", receive_once)
        result = dlq("redrive", "--json")

    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["sent"] == len(sent(dev)) == 10
    assert document["error"].startswith("ReceiveMessage: AccessDenied: no")
    assert len(dev.bodies(dev.dead_letter_queue_url)) == 5
