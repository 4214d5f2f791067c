"""`cafe verify`: it passes on a healthy stack, and each check can fail."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli import http, page, stack, terminal, verify
from cli.aws import Clients
from cli.checks import Check
from cli.errors import SetUpError
from cli.kitchen import Kitchen
from cli.logs import Line
from cli.traffic.audit import read_counters
from cli.verify import Verification
from tests.cli.conftest import Cafe, Pulumi
from tests.cli.kitchen import Staff
from tests.cli.stand_in import CONFIG, REGION, FakeApi, FakeAws, FakeFunctions, Reply, administrator

NAMES = [
    "order_accepted",
    "queue_drained",
    "rds_row",
    "menu_grew",
    "total_grew",
    "worker_logged",
    "order_cancelled",
    "page_served",
]


@pytest.fixture(autouse=True)
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for the queue: moto's numbers are exact."""
    monkeypatch.setattr(verify, "GRACE", 0.05)
    monkeypatch.setattr(verify, "LOG_TIMEOUT", 0.05)


@pytest.fixture
def kitchen(monkeypatch: pytest.MonkeyPatch, aws: FakeAws) -> Staff:
    """A kitchen that has the orders, and shows none."""
    functions = FakeFunctions()
    staff = Staff(functions)
    staff.orders, staff.hidden = [], aws.rows
    acting = Kitchen(functions=functions, name="StaffOrders-dev", actor="ada")  # type: ignore[arg-type]
    monkeypatch.setattr(Kitchen, "of", lambda _clients: acting)
    return staff


@pytest.fixture
def dev(dev: FakeAws, kitchen: Staff) -> FakeAws:
    """The stack `dev` with its kitchen."""
    return dev


def run(aws: FakeAws, outputs: dict[str, str] | None = None) -> dict[str, Check]:
    """Verify with a short timeout."""
    clients = administrator()
    clients.stack = stack.Stack(name="dev", outputs=aws.outputs() | (outputs or {}), region=REGION)
    with http.client(None) as client:
        checks = list(Verification(client, clients, item="Coffee", timeout=0.3).run())
    assert [check.name for check in checks] == NAMES
    return {check.name: check for check in checks}


def failed(checks: dict[str, Check]) -> list[str]:
    """Return the names of the checks that failed."""
    return [name for name, check in checks.items() if not check.ok]


def test_a_stack_that_works_passes_with_a_line_per_check(cafe: Cafe, dev: FakeAws) -> None:
    result = cafe("verify", "--stack", "dev")

    lines = result.stdout.splitlines()
    assert result.exit_code == 0, result.output
    assert len(lines) == 9
    assert all(line.startswith("✓ ") and " s  " in line for line in lines[:8])
    assert "The order is accepted" in lines[0]
    assert "order-1" in lines[0]
    assert "0 → 2" in lines[3]
    assert "0 → 1" in lines[4]
    assert lines[8].startswith("All 8 checks passed, in ")
    assert result.stderr == ""


def test_the_order_is_unique(dev: FakeAws, api: FakeApi) -> None:
    run(dev)
    run(dev)

    names = {request.body["customer_name"] for request in api.orders}
    assert len(names) == 2
    assert all(name.startswith("verify-") for name in names)


def test_the_order_is_a_test_that_is_cancelled(dev: FakeAws, api: FakeApi, kitchen: Staff) -> None:
    assert run(dev)["order_cancelled"].ok
    assert api.orders[0].body["test_order"] is True
    (move,) = kitchen.moves
    assert move["pathParameters"] == {"id": "order-1"}
    assert json.loads(move["body"])["state"] == "cancelled"


def test_a_test_order_on_the_kitchens_screen_is_found(dev: FakeAws, kitchen: Staff) -> None:
    kitchen.orders = kitchen.hidden
    checks = run(dev)
    assert failed(checks) == ["order_cancelled"]
    assert checks["order_cancelled"].detail == "The kitchen's screen shows the test order, as K42."


def test_a_kitchen_that_fails_is_found(dev: FakeAws, kitchen: Staff) -> None:
    kitchen.refusal = (503, {"message": "The change is not confirmed."})
    checks = run(dev)
    assert failed(checks) == ["order_cancelled"]
    assert checks["order_cancelled"].detail == "The change is not confirmed. `cafe doctor` shows the cause."


def test_json_is_one_document_and_progress_goes_to_standard_error(cafe: Cafe, dev: FakeAws) -> None:
    dev.log_line = "Order processed with difficulty"

    result = cafe("verify", "--stack", "dev", "--json", "--timeout", "1")

    document = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (document["stack"], document["ok"], document["order_id"]) == ("dev", False, "order-1")
    assert [check["name"] for check in document["checks"]] == NAMES
    assert [check["name"] for check in document["checks"] if not check["ok"]] == ["worker_logged"]
    assert document["checks"][5].keys() == {"name", "title", "ok", "detail", "seconds"}
    assert "✗ The worker logged" in result.stderr
    assert "1 of 8 checks failed" in result.stderr


def test_a_recorded_order_without_its_log_line_is_pending(cafe: Cafe, dev: FakeAws) -> None:
    dev.left_out = {"log"}

    result = cafe("verify", "--stack", "dev")
    document = json.loads(cafe("verify", "--stack", "dev", "--json").stdout)

    assert result.exit_code == 0
    assert "The order is recorded; its line is not in /cafe/dev/OrderProcessor yet." in result.stdout
    assert [line[0] for line in result.stdout.splitlines()[:-1]] == ["✓"] * 5 + ["!", "✓", "✓"]
    assert result.stdout.splitlines()[-1].startswith("7 of 8 checks passed, 1 not seen yet, in ")
    assert (document["ok"], document["pending"]) == (True, ["worker_logged"])


def test_an_order_that_was_not_recorded_fails_with_the_workers_reason(dev: FakeAws, api: FakeApi) -> None:
    def refuse(order_id: str, _: Any) -> None:
        dev.log(
            {
                "message": "Order not processed",
                "orderId": order_id,
                "messageId": "m",
                "reason": "MySQL error 1290",
            }
        )

    api.on_order = refuse

    checks = run(dev)

    reason = "The worker could not record it: MySQL error 1290 (the database is read-only)."
    assert checks["worker_logged"].detail == reason
    assert checks["queue_drained"].detail.endswith(f"in the dead-letter queue. {reason}")
    assert not checks["worker_logged"].ok


def test_a_refused_order_fails_the_checks_that_depend_on_it(dev: FakeAws, api: FakeApi) -> None:
    api.replies = [Reply(status=400, body={"message": "Closed", "errors": {}})]

    checks = run(dev)

    assert failed(checks) == NAMES[:-1]
    assert checks["order_accepted"].detail == "Closed"
    assert checks["rds_row"].detail == "Not checked, because no order was accepted."


def test_an_order_that_stays_in_the_queue_is_found(dev: FakeAws) -> None:
    dev.left_out = {"record"}
    dev.sqs.send_message(QueueUrl=dev.queue_url, MessageBody="{}")

    checks = run(dev)

    assert failed(checks) == ["queue_drained"]
    assert checks["queue_drained"].detail == (
        "Not taken within 0.3 s: 1 in the queue or with the worker, 0 in the dead-letter queue."
    )


def test_orders_of_others_in_the_queue_pass_and_are_reported(dev: FakeAws) -> None:
    dev.sqs.send_message(QueueUrl=dev.queue_url, MessageBody="{}")

    checks = run(dev)

    assert failed(checks) == []
    assert checks["queue_drained"].detail == "taken and recorded; 1 message in the queue or with the worker"


def test_a_missing_row_is_found(dev: FakeAws) -> None:
    dev.left_out = {"row"}

    checks = run(dev)

    assert failed(checks) == ["rds_row", "order_cancelled"]
    assert checks["rds_row"].detail == "No row with order_id order-1 after 0.3 s."


@pytest.mark.parametrize("changed", [{"item": "Tea"}, {"quantity": 1}, {"customer_name": "Eve"}])
def test_a_row_that_differs_from_the_order_is_found(
    dev: FakeAws, api: FakeApi, changed: dict[str, Any]
) -> None:
    api.on_order = lambda order_id, order: dev.work(order_id, order | changed)

    checks = run(dev)

    assert "rds_row" in failed(checks)
    assert "It differs: {'item': " in checks["rds_row"].detail


def test_the_row_is_read_by_its_id_and_not_from_the_latest_orders(dev: FakeAws, api: FakeApi) -> None:
    api.status = Reply(body={"recent_orders": []})

    assert failed(run(dev)) == []


def test_a_database_that_cannot_be_read_fails_with_its_reason(dev: FakeAws, kitchen: Staff) -> None:
    unavailable = json.dumps({"message": "Orders are temporarily unavailable; please try again."})
    kitchen.functions.usual = lambda _event: {"statusCode": 503, "body": unavailable}

    checks = run(dev)

    assert failed(checks) == ["rds_row", "order_cancelled"]
    assert checks["rds_row"].detail == (
        "Orders are temporarily unavailable; please try again. `cafe doctor` shows the cause."
    )


@pytest.mark.parametrize(
    ("left_out", "name", "detail"),
    [
        ("menu", "menu_grew", "0 → 0 after 0.3 s, +2 was expected."),
        ("total", "total_grew", "0 → 0 after 0.3 s, +1 was expected."),
    ],
)
def test_a_counter_that_did_not_grow_fails(dev: FakeAws, left_out: str, name: str, detail: str) -> None:
    dev.left_out = {left_out}

    checks = run(dev)

    assert failed(checks) == [name]
    assert checks[name].detail == detail


def test_a_counter_that_could_not_be_read_before_the_order_fails_with_the_reason(
    dev: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied = ClientError({"Error": {"Code": "ThrottlingException", "Message": "Slow down."}}, "BatchGetItem")
    errors = iter([denied, denied])

    def read_later(*arguments: Any) -> Any:
        for error in errors:
            raise error
        return read_counters(*arguments)

    monkeypatch.setattr("cli.verify.read_counters", read_later)

    checks = run(dev)

    assert failed(checks) == ["menu_grew", "total_grew"]
    assert checks["menu_grew"].detail == (
        "It could not be read before the order: BatchGetItem: ThrottlingException: Slow down."
    )


def test_growth_by_others_at_the_same_time_is_reported(dev: FakeAws) -> None:
    dev.others = 4

    checks = run(dev)

    assert failed(checks) == []
    assert checks["total_grew"].detail == "0 → 5, so at least our 1: other orders arrived at the same time"
    assert checks["menu_grew"].detail == "0 → 2"


@pytest.mark.parametrize(
    ("output", "name"),
    [
        ("menu_table", "menu_grew"),
        ("metrics_table", "total_grew"),
        ("orders_table", "queue_drained"),
        ("worker_log_group", "worker_logged"),
    ],
)
def test_a_check_that_aws_denies_fails_with_the_reason(dev: FakeAws, output: str, name: str) -> None:
    checks = run(dev, {output: "gone"})

    assert failed(checks) == [name]
    assert "ResourceNotFoundException" in checks[name].detail


def test_another_log_message_of_the_worker_fails(dev: FakeAws) -> None:
    dev.log_line = "Order processed with difficulty"

    checks = run(dev)

    assert failed(checks) == ["worker_logged"]
    assert "No such line for order-1 in /cafe/dev/OrderProcessor" in checks["worker_logged"].detail


@pytest.mark.parametrize(
    ("line", "is_ours"),
    [
        ('{"message": "Order processed successfully", "orderId": "o-1", "level": "INFO"}', True),
        ('{"message": "Order processed successfully", "orderId": "o-10"}', False),
        ("Order processed successfully o-1", False),
        ('["o-1"]', False),
    ],
)
def test_only_the_lines_of_this_order_count(line: str, is_ours: bool) -> None:
    found = Line(at=datetime.now(UTC), function="OrderProcessor", text=line, key="1")
    assert found.is_about("o-1") is is_ours


@pytest.mark.parametrize(
    ("page", "detail"),
    [
        (Reply(status=403, body="<title>Cafe orders</title>", content_type="text/html"), "returned 403"),
        (Reply(body={}), "returned 200 with application/json"),
        (Reply(body="<title>Hello</title>", content_type="text/html"), "lacks <title>Cafe orders</title>"),
        (Reply(status=0), "is not reachable"),
    ],
)
def test_a_wrong_page_is_found(dev: FakeAws, api: FakeApi, page: Reply, detail: str) -> None:
    api.page = page

    checks = run(dev)

    assert failed(checks) == ["page_served"]
    assert detail in checks["page_served"].detail


@pytest.mark.parametrize("reached", ["nowhere", "another server"])
def test_a_domain_without_dns_records_and_a_page_that_is_not_served_are_distinguished(
    dev: FakeAws, api: FakeApi, reached: str
) -> None:
    unused = api.port if reached == "another server" else 9
    cloudfront = dev.outputs()["page_url"]
    outputs = {"page_url": f"http://cafe.localhost:{unused}/order-status", "cloudfront_url": cloudfront}

    detail = run(dev, outputs)["page_served"].detail
    assert detail.endswith(
        f" {cloudfront} works: check the DNS records of cafe.localhost "
        "(docs/runbook.md, The domain does not work)."
    )
    assert ("is not reachable" in detail) == (reached == "nowhere")
    api.page = Reply(status=500)
    assert "DNS" not in run(dev, outputs)["page_served"].detail


@pytest.mark.parametrize(
    ("config", "detail"),
    [
        (Reply(status=404, body="<Error/>"), "returns 404 without the pages' settings"),
        (Reply(status=0), "config.js is not reachable"),
        (Reply(body="export const settings = {"), "without the pages' settings"),
        (Reply(body="export const settings = {'locale': 5};"), "has no valid JSON"),
        (Reply(body="export const settings = " + '{"a":' * 99_999 + "};"), "has no valid JSON"),
        (Reply(body="export const settings = {};"), "apiBase None, timeZone None, locale None, signIn"),
        (Reply(body=CONFIG.replace("en-US", "en-12")), "cannot use locale 'en-12'"),
        (Reply(body=CONFIG.replace('"en-US"', "5")), "cannot use locale 5"),
        (Reply(body=CONFIG.replace('"UTC"', '"posix/UTC"')), "cannot use timeZone 'posix/UTC'"),
        (Reply(body=CONFIG.replace('"UTC"', "[]")), "cannot use timeZone []"),
        (Reply(body=CONFIG.replace('"/prod"', '"//elsewhere.example"')), "cannot use apiBase"),
        (
            Reply(body=CONFIG.replace("null", '{"domain": "x", "clientId": "y", "scope": "z"}')),
            "cannot use signIn",
        ),
        (Reply(body=CONFIG.replace(": 3,", ": true,")), "cannot use warnMinutes True"),
        (Reply(body=CONFIG.replace("false", '"no"')), "cannot use ordersApiKey 'no'"),
    ],
)
def test_settings_that_the_page_cannot_use_fail(
    dev: FakeAws, api: FakeApi, config: Reply, detail: str
) -> None:
    api.config = config

    checks = run(dev)

    assert failed(checks) == ["page_served"]
    assert detail in checks["page_served"].detail


def test_the_settings_that_are_checked_are_those_that_the_pages_use() -> None:
    script = (stack.REPOSITORY / "web" / "settings.js").read_text(encoding="utf-8")
    assert re.findall(r"\buse\(\"(\w+)\"", script) == list(page.USABLE)


def test_the_title_is_that_of_the_page() -> None:
    assert page.TITLE in (stack.REPOSITORY / "web" / "order-status.html").read_text(encoding="utf-8")


def test_a_page_by_a_localhost_name_is_reached_on_this_machine(dev: FakeAws, api: FakeApi) -> None:
    run(dev)

    page = next(request for request in api.requests if request.path == "/order-status")
    assert page.headers["Host"] == f"d123.cloudfront.localhost:{api.port}"


def test_the_local_stack_is_called_with_its_administrators_credentials(
    local_stack: Path, api: FakeApi
) -> None:
    clients = Clients(stack.load("local", local_stack))

    assert clients.sqs.meta.endpoint_url == f"http://127.0.0.1:{api.port}"
    assert clients.sqs.meta.region_name == REGION
    credentials = clients.session.get_credentials()
    assert credentials is not None
    assert (credentials.access_key, credentials.secret_key) == ("test", "test")


def test_without_credentials_the_commands_that_create_some_are_named(
    cafe: Cafe, pulumi: Pulumi, api: FakeApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    pulumi.prints(json.dumps(api.outputs()))

    result = cafe("verify", "--stack", "dev")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("No AWS credentials were found: type `aws configure`")
    assert api.orders == []


def test_an_unknown_profile_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    with pytest.raises(SetUpError, match=r"cannot be used: .*nobody"):
        Clients(stack.Stack(name="dev", outputs={}, region=REGION))


def test_no_order_is_sent_to_a_stack_without_the_output(cafe: Cafe, api: FakeApi) -> None:
    result = cafe("verify")

    assert result.exit_code == 2
    assert "has no output menu_table" in result.stderr
    assert api.orders == []


def test_ctrl_c_ends_with_130_and_the_findings_so_far(
    cafe: Cafe, dev: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: Verification) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(Verification, "_row", interrupted)

    result = cafe("verify", "--stack", "dev", "--json")

    document = json.loads(result.stdout)
    assert result.exit_code == 130
    assert (document["ok"], document["interrupted"], len(document["checks"])) == (False, True, 2)
    assert result.stderr.endswith("Stopped after 2 checks, 0 of them failed.\n")


def test_control_characters_in_details_are_escaped(cafe: Cafe, dev: FakeAws, api: FakeApi) -> None:
    api.replies = [Reply(status=400, body={"message": "[red]\x1b[2J", "errors": {}})]

    result = cafe("verify", "--stack", "dev")

    assert "[red]\\x1b[2J" in result.stdout
    assert "\x1b" not in result.stdout


def test_the_consoles_do_not_parse_markup() -> None:
    assert terminal.out._markup is False
