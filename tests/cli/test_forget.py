"""`cafe forget`, with a fake of EraseOrders, queues and tables in moto."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cli.errors import OperationError
from cli.forget import eraser as eraser_client
from cli.forget.eraser import Kind
from cli.forget.letters import mentions
from cli.main import app
from tests.cli.conftest import Cafe
from tests.cli.dead_letters import record
from tests.cli.fake_rds import RUNNING, FakeRds
from tests.cli.stand_in import BUCKET, FakeAws, FakeFunctions, administrator
from tests.cli.user_pool import Pool

ADA = "Ada Łovelace"
SENT = "2026-11-20T10:00:00.000Z"


def letter(order_id: str, customer: str | None = ADA, **more: object) -> str:
    """Return a message with an order."""
    named = {"customer_name": customer} if customer else {}
    return json.dumps({"orderId": order_id, "item": "Latte", "quantity": 2, **named, "note": "x", **more})


class Eraser:
    """EraseOrders, with one order in each slice.

    Attributes
    ----------
    orders
        The customers and actors of the orders, by their ids; None if they are erased.
    kept
        The ids that were kept for orders that are not recorded.
    """

    def __init__(self, functions: FakeFunctions) -> None:
        self.orders: dict[str, tuple[str, str] | None] = {}
        self.kept: set[str] = set()
        self.failing: list[str] = []
        self.during: Callable[[], object] = lambda: None
        functions.usual = self.respond

    def respond(self, event: dict[str, Any]) -> dict[str, Any]:
        start = int(event.get("cursor", 0))
        ids = sorted(self.orders)[start : start + 1]
        cursor = str(start + 1) if start + 1 < len(self.orders) else None
        mine = [order_id for order_id in ids if self.has(order_id, event)]
        if event["action"] == "find":
            return self.found(mine, ids, event) | {"cursor": cursor}
        self.during()
        self.kept |= {event["orderId"]} - self.orders.keys() if "orderId" in event else set()
        self.orders |= dict.fromkeys(mine)
        return {"erased": len(mine), "failed": self.failing if mine else [], "cursor": cursor}

    def has(self, order_id: str, event: dict[str, Any]) -> bool:
        order = self.orders[order_id]
        wanted = [event.get("customer") == order[0], event.get("actor") == order[1]] if order else []
        return any(wanted) or bool(order and event.get("orderId") == order_id)

    def found(self, mine: list[str], ids: list[str], event: dict[str, Any]) -> dict[str, Any]:
        count = len(mine)
        erased = [i for i in ids if self.orders[i] is None and event.get("orderId") == i]
        times = dict.fromkeys(("first", "last"), SENT if mine else None)
        fields = {"customer": count, "attributes": 0, "history": count}
        return {"orders": count, "alreadyErased": len(erased), **times, "fields": fields, "orderIds": mine}


@pytest.fixture
def eraser(functions: FakeFunctions, dev: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Eraser:
    s3 = dev.make_bucket()
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    rules: Any = [
        {"ID": "files", "Status": "Enabled", "Filter": {"Prefix": "orders/"}, "Expiration": {"Days": 365}},
        {
            "ID": "leftovers",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
        },
    ]
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": rules})
    monkeypatch.setattr(administrator(), "rds", FakeRds())
    found = Eraser(functions)
    found.orders = {"O-1": (ADA, "bo"), "O-2": ("Grace", "bo"), "O-3": (ADA, "cy")}
    return found


@pytest.fixture
def forget(dev_cafe: Cafe) -> Cafe:
    """The command on the stack `dev`."""
    return lambda *words: dev_cafe("forget", *words)


def document(forget: Cafe, *words: str) -> dict[str, Any]:
    result = forget(*words, "--yes", "--json")
    assert result.exit_code == 0, result.output
    assert ADA not in result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_customer_is_erased_in_all_slices_after_a_question_without_the_name(eraser: Eraser) -> None:
    result = CliRunner().invoke(app, ["forget", ADA, "--stack", "dev"], input="y\n")
    assert result.exit_code == 0, result.output
    assert "2 orders have this customer, sent 2026-11-20" in result.stdout  # both at one time
    assert "To erase: 2 names; who made 2 moves of orders, and why." in result.stdout
    assert (
        "Erase names, further fields and histories of 2 orders of stack dev for good? [y/N]" in result.stderr
    )
    assert "2 orders erased; all counts stay." in result.stdout
    assert ADA not in result.output
    assert eraser.orders == {"O-1": None, "O-2": ("Grace", "bo"), "O-3": None}


def test_a_dry_run_and_a_question_without_a_reply_erase_nothing(forget: Cafe, eraser: Eraser) -> None:
    before = dict(eraser.orders)
    assert forget(ADA, "--dry-run").exit_code == 0
    assert json.loads(forget(ADA, "--dry-run", "--json").stdout)["orders"] == 2
    result = forget(ADA)
    assert (result.exit_code, eraser.orders) == (2, before)
    assert "use `--yes`" in result.stderr


def test_ctrl_c_ends_after_a_slice_and_the_same_command_continues(forget: Cafe, eraser: Eraser) -> None:
    eraser.during = lambda: signal.raise_signal(signal.SIGINT)
    result = forget(ADA, "--yes")
    assert result.exit_code == 130
    assert "Stopped: 1 order erased; all counts stay. The same command erases the rest." in result.stderr
    eraser.during = lambda: None
    assert document(forget, ADA)["erased"] == 1
    assert eraser.orders["O-3"] is None


def test_an_error_of_the_function_is_printed_without_the_name_and_how_far_it_came(
    forget: Cafe, eraser: Eraser, functions: FakeFunctions
) -> None:
    respond = functions.usual
    failure = {"errorType": "KeyError", "errorMessage": ADA}
    functions.usual = lambda event: (
        failure if event["action"] == "erase" and "cursor" in event else respond(event)
    )
    result = forget(ADA, "--yes")
    assert result.exit_code == 1
    assert "1 order erased" in result.stdout
    assert "EraseOrders-dev failed: KeyError." in result.stderr
    assert "The same command continues.\nNot everything was erased." in result.stderr
    assert ADA not in result.output


def test_an_error_of_the_function_in_a_restore_is_reported_without_the_name(functions: FakeFunctions) -> None:
    functions.usual = lambda _event: {"errorType": "KeyError", "errorMessage": ADA}
    client: Any = functions
    with pytest.raises(OperationError) as raised:
        eraser_client.Eraser(functions=client, name="EraseOrders-dev").apply()
    assert str(raised.value) == "EraseOrders-dev failed: KeyError. `cafe doctor` shows the cause."


@pytest.mark.parametrize("reason", ["MySQL error 2013", "DynamoDB: ThrottlingException"])
def test_an_unavailable_store_is_named(forget: Cafe, functions: FakeFunctions, reason: str) -> None:
    functions.usual = lambda _event: {"errorType": "StoreUnavailableError", "errorMessage": reason}
    result = forget(ADA, "--yes")
    assert result.exit_code == 1
    assert f"StoreUnavailableError: {reason}." in result.stderr


def test_orders_that_stay_in_dynamodb_are_an_error_and_dead_letters_are_cleaned(
    forget: Cafe, eraser: Eraser, dev: FakeAws
) -> None:
    eraser.failing = ["O-1"]
    record(dev, "O-1", "Latte", 2, ADA)
    dev.put(letter("O-1"))
    result = forget("O-1", "--yes")
    assert result.exit_code == 1
    assert "1 order not erased in DynamoDB yet" in result.stderr
    assert "`cafe forget O-1` does so at once." in result.stderr
    assert dev.bodies(dev.dead_letter_queue_url) == []


def test_an_erased_order_is_erased_again_without_a_question(forget: Cafe, eraser: Eraser) -> None:
    assert document(forget, "O-1")["erased"] == 1
    result = forget("O-1")
    assert result.exit_code == 0, result.output
    assert "1 order with this id: erased already." in result.stdout


@pytest.mark.parametrize("name", ["Nobody", f" {ADA}", "ada", "N" * 500, "💛\u200d🔥"])
def test_a_name_that_nothing_has_is_refused(forget: Cafe, eraser: Eraser, name: str) -> None:
    result = forget(name, "--yes")
    assert result.exit_code == 1
    assert "no order and no dead letter has exactly this name or id" in result.stderr
    assert name not in result.output


def test_a_name_of_an_order_and_of_a_member_of_staff_is_refused_as_ambiguous(
    forget: Cafe, eraser: Eraser
) -> None:
    eraser.orders["bo"] = ("Zoë", "cy")
    result = forget("bo", "--yes")
    assert result.exit_code == 2
    assert "it could be `--as order` (1 order) and `--as staff` (2 orders): choose one." in result.stderr
    assert document(forget, "bo", "--as", "order")["erased"] == 1
    assert eraser.orders["bo"] is None
    assert eraser.orders["O-2"] == ("Grace", "bo")


@pytest.mark.parametrize("order_id", ["O-9", "."])
def test_the_id_of_an_order_that_is_not_recorded_is_kept(forget: Cafe, eraser: Eraser, order_id: str) -> None:
    assert "still in the queue, `--as order` keeps the id" in forget(order_id, "--yes").stderr
    assert eraser.kept == set()
    result = forget(order_id, "--as", "order", "--yes")
    assert result.exit_code == 0, result.output
    assert "its id is kept, so that it arrives without a name" in result.stdout
    assert "The id is kept: no name is ever recorded with it." in result.stdout
    assert eraser.kept == {order_id}


def test_a_pickup_number_erases_nothing_and_names_the_command_with_the_id(
    forget: Cafe, eraser: Eraser
) -> None:
    assert "`cafe orders show` prints the order's id" in forget("k07", "--yes").stderr
    assert "`cafe orders show` prints the order's id" in forget("K07", "--as", "order", "--dry-run").stdout


def test_an_id_that_no_order_can_have_is_refused(forget: Cafe, eraser: Eraser) -> None:
    for order_id in ("x" * 65, "O 1", "ü", " "):
        assert forget(order_id, "--as", "order", "--yes").exit_code == 2
    assert eraser.kept == set()


def test_the_question_names_dead_letters_if_no_recorded_order_has_the_name(
    forget: Cafe, eraser: Eraser, dev: FakeAws
) -> None:
    eraser.orders = {}
    dev.put(letter("O-9"))
    assert "Erase the name in 1 dead letter of stack dev for good?" in forget(ADA).stderr


def test_an_order_on_its_way_is_named(forget: Cafe, dev: FakeAws, eraser: Eraser) -> None:
    dev.put(letter("O-7"), dev.queue_url)
    assert "1 message in OrderQueue: if this customer's order" in forget(ADA, "--dry-run").stdout
    assert json.loads(forget(ADA, "--dry-run", "--json").stdout)["messages_in_queue"] == 1


def test_an_address_stands_for_the_account_and_for_an_operator(
    forget: Cafe, eraser: Eraser, dev: FakeAws, pulumi: Any
) -> None:
    pool = Pool(administrator().users)
    pulumi.prints(json.dumps(dev.outputs() | {"user_pool_id": pool.id}))
    pool.invite("bo@example.com", "staff")
    eraser.orders = {
        "O-1": (ADA, pool.name("bo@example.com")),
        "O-2": (ADA, "bo@example.com"),
        "O-3": (ADA, "cy"),
    }
    assert "Erased in 1 move of orders; all counts stay." in forget("Bo@Example.com", "--yes").stdout
    assert eraser.orders["O-1"] is None
    assert "Erased in 1 move of orders" in forget("bo@example.com", "--yes").stdout
    assert [order_id for order_id, order in eraser.orders.items() if order] == ["O-3"]


# Dead letters


def test_dead_letters_of_recorded_orders_are_deleted_and_others_sent_without_the_name(
    forget: Cafe, dev: FakeAws, eraser: Eraser
) -> None:
    record(dev, "O-1", "Latte", 2, ADA)
    record(dev, "O-2", "Tea", 1, "Grace")
    dev.put(letter("O-1"))
    dev.put(letter("O-8"), note=ADA)
    dev.put(letter("O-2"))  # another order under a used id
    dev.put(letter("O-4", "Grace"))
    dev.put(letter("O-9"), dev.undelivered_url)
    found = document(forget, ADA)
    assert (found["dead_letters"], found["dead_letters_deleted"], found["dead_letters_sent"]) == (4, 1, 3)
    sent = {
        body["Message"]["orderId"]: body["Message"] for body in map(json.loads, dev.bodies(dev.queue_url))
    }
    assert sent == {name: {"orderId": name, "item": "Latte", "quantity": 2} for name in ("O-2", "O-8", "O-9")}
    assert dev.bodies(dev.dead_letter_queue_url) == [letter("O-4", "Grace")]
    assert dev.bodies(dev.undelivered_url) == []
    # Not the id of Grace's order: it would erase her name.
    assert eraser.kept == {"O-8", "O-9"}
    assert eraser.orders["O-2"] is not None


def test_a_dead_letter_with_the_name_elsewhere_is_listed_and_stays(
    forget: Cafe, dev: FakeAws, eraser: Eraser
) -> None:
    bodies = [letter("O-8", quantity=0), letter("O-9", "Grace", note=f"for {ADA}"), f"{ADA}: two lattes"]
    ids = {dev.put(body) for body in bodies}
    dev.put(letter("O-4", "Grace"))
    found = document(forget, ADA)
    assert set(found["unclear_dead_letters"]) == ids
    assert found["dead_letters"] == 0
    assert len(dev.bodies(dev.dead_letter_queue_url)) == 4
    printed = forget("Nobody at all", "--yes")
    assert "Dead letter" not in printed.output


@given(st.text(min_size=1), st.booleans(), st.integers(0, 2))
def test_a_text_is_found_in_a_body_however_json_escapes_it(value: str, ascii_only: bool, times: int) -> None:
    body = value
    for _ in range(times):
        body = json.dumps({"note": f"for {body}!"}, ensure_ascii=ascii_only)
    assert mentions(body, value)


# Backups


def test_backups_are_listed_with_their_lifetimes(forget: Cafe, dev: FakeAws, eraser: Eraser) -> None:
    dynamodb = administrator().dynamodb
    dynamodb.update_continuous_backups(
        TableName="Orders-dev", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    dynamodb.create_backup(TableName="Orders-dev", BackupName="before-the-move")
    for day in ("2026-11-19", "2026-11-20", "2026-11-20", "undated"):
        administrator().s3.put_object(Bucket=BUCKET, Key=f"orders/{day}.csv.gz", Body=b"x")
    before = datetime.now(UTC)
    left = {each["what"]: each["until"] for each in document(forget, ADA)["backups"]}

    def expected(now: datetime) -> dict[str, str | None]:
        rewritten = now + timedelta(days=31, hours=6)
        days = {n: f"{now + timedelta(days=n):%Y-%m-%d}" for n in (7, 35)}
        return {
            f"Automated backups of database {RUNNING}": days[7],
            "Snapshot cafe-2026-11-01": None,
            "Point-in-time recovery of table Orders-dev": days[35],
            "Backup before-the-move of table Orders-dev": None,
            # The schedule replaces the current files within six hours.
            f"3 files with copies of the orders in bucket {BUCKET}": f"{rewritten:%Y-%m-%d}",
        }

    assert left in (expected(before), expected(datetime.now(UTC)))


def test_a_backup_that_cannot_be_listed_is_reported_with_the_missing_permission(
    forget: Cafe, eraser: Eraser, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied = ClientError(
        {"Error": {"Code": "AccessDenied", "Message": "Access Denied"}}, "ListObjectVersions"
    )

    class Paginator:
        def paginate(self, **_: str) -> None:
            raise denied

    monkeypatch.setattr(administrator().s3, "get_paginator", lambda _name: Paginator())
    result = forget(ADA, "--yes")
    assert result.exit_code == 0, result.output
    assert (
        "Copies of the orders: could not be checked: ListObjectVersions: AccessDenied: Access Denied: "
        "your credentials need s3:ListBucketVersions."
    ) in result.stdout


def test_only_the_database_has_histories(forget: Cafe, eraser: Eraser) -> None:
    found = document(forget, "bo", "--as", Kind.STAFF)
    assert {each["what"] for each in found["backups"]} == {
        f"Automated backups of database {RUNNING}",
        "Snapshot cafe-2026-11-01",
    }
