"""The monthly cost of a stack, compared with manually calculated bills."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

import pytest

from infra import cost, cost_change, prices
from infra.recording import ROOT
from infra.web_files import WEB
from tests.program.conftest import Program

PRICES = prices.read()
NOTHING = cost.Use(orders_a_day=0, screens=0)


def bill(program: Program, use: cost.Use = NOTHING) -> cost.Bill:
    return cost.bill([asdict(resource) for resource in program.resources], use)


def idle(program: Program) -> dict[str, float]:
    found = cost.by_service(bill(program).total, PRICES)
    return {service: round(dollars, 2) for service, dollars in found.items() if round(dollars, 2)}


def test_an_idle_dev_stack_costs_the_calculated_amounts(dev: Program) -> None:
    assert idle(dev) == {
        "rds": 13.98,  # 730 hours at 0.016, and 20 GB at 0.115
        "cloudwatch": 7.23,  # 21 metrics in alarms at 0.10, 7 at 0.30, a dashboard, 0.07 GB of logs at 0.50
        "secrets_manager": 1.60,  # four at 0.40: two users, the tracking keys, and RDS's own
        "sqs": 0.32,  # 657,000 polls of the worker's, and 3 of each of 44,530 runs, at 0.40 a million
        "dynamodb": 0.08,  # 4 reads at 0.125 and 2 writes at 0.625 a million, of as many runs
        "lambda": 0.05,  # as many runs at 0.20 a million, and 0.075 GB-seconds each at 13.3334 a million
    }


def test_an_idle_prod_stack_costs_the_calculated_amounts(prod: Program) -> None:
    found = idle(prod)
    assert found.pop("rds") == 51.32  # twice 730 hours at 0.032, and twice 20 GB at 0.115
    assert found.pop("vpc") == 29.20  # two endpoints in two zones, 730 hours at 0.01
    assert sum(found.values()) == pytest.approx(7.23 + 1.60 + 0.32 + 0.08 + 0.05)


def test_the_readme_has_these_figures(dev: Program, prod: Program) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(dev|prod)`, including (\d+) for .* \| about (\d+) \|$", readme, re.MULTILINE)
    computed = [
        (stack, idle(program)["rds"], cost.dollars(found.total, PRICES) - found.always_free(PRICES))
        for stack, program in (("dev", dev), ("prod", prod))
        for found in [bill(program)]
    ]
    assert rows == [(stack, f"{rds:.0f}", f"{total:.0f}") for stack, rds, total in computed]


def test_orders_and_open_pages_add_up(dev: Program) -> None:
    used = bill(dev, cost.Use(orders_a_day=240, screens=2))
    together = sum(
        cost.dollars(amounts, PRICES) * times
        for amounts, times in ((used.idle, 1), (used.order, 240 * 730 / 24), (used.screen, 2))
    )
    assert cost.dollars(used.total, PRICES) == pytest.approx(together)


def test_an_open_page_without_orders_costs_less_than_seven_dollars(dev: Program) -> None:
    assert cost.dollars(bill(dev).screen, PRICES) < 7


def test_the_free_tier_covers_no_more_than_is_used(dev: Program) -> None:
    busy = bill(dev, cost.Use(orders_a_day=1_000_000, screens=100))
    # 10 metrics in alarms, 10 metrics of which there are 7, 3 dashboards of which there is one, 5 GB of logs,
    # and requests.
    free = 10 * 0.10 + 7 * 0.30 + 3.00 + 5 * 0.50 + 0.20 + 400_000 * 13.3334e-6 + 0.40 + 0.50 + 10.00
    assert busy.always_free(PRICES) == pytest.approx(free)


def test_an_instance_class_without_a_price_is_reported(prod: Program) -> None:
    resources = [asdict(resource) for resource in prod.resources]
    found = cost.bill(_with_instance(resources, "db.r9x.huge"), NOTHING)
    assert cost.unpriced(found.total, PRICES) == ["rds.db_r9x_huge_hour"]
    assert cost.dollars(found.total, PRICES) == pytest.approx(cost.dollars(bill(prod).total, PRICES) - 46.72)


def test_the_bill_has_the_polling_intervals_of_the_page() -> None:
    script = (WEB / "order-status.js").read_text(encoding="utf-8")
    for name in ("ACTIVE_POLL", "IDLE_POLL", "IDLE_AFTER"):
        (milliseconds,) = re.findall(rf"^const {name} = ([\d_]+);", script, re.MULTILINE)
        assert int(milliseconds) == getattr(cost, name) * 1000


def test_a_kitchens_screen_costs_at_most_3_50_dollars_as_in_the_readme() -> None:
    script = (WEB / "kitchen.js").read_text(encoding="utf-8")
    pause = re.search(r"^const ACTIVE_POLL = ([\d_]+);", script, re.MULTILINE)
    assert pause is not None
    requests = cost.HOURS / 2 * 3600 * 1000 / int(pause[1])  # twelve hours a day, always with open orders
    # `StaffOrders` takes no longer than the order status, with half a gigabyte, and logs as much.
    request = {
        **dict.fromkeys(("api_gateway.request", "cloudfront.request", "lambda.request"), 1),
        "lambda.gb_second_arm": 0.5 * cost.STATUS_SECONDS,
        "cloudwatch.log_gb": cost.STATUS_LOG / cost.GB,
    }
    dollars = requests * cost.dollars(request, PRICES)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"screen that is on for twelve hours a day | about {round(dollars, 1):.2f} |" in readme
    assert dollars <= 3.50


def test_a_changed_price_is_shown_with_its_services(dev: Program) -> None:
    before = [asdict(resource) for resource in dev.resources]
    endpoint = {
        "type": "aws:ec2/vpcEndpoint:VpcEndpoint",
        "inputs": {"vpcEndpointType": "Interface", "subnetIds": ["a", "b"]},
    }

    both = cost_change.sentence(before, [*_with_instance(before, "db.t4g.small"), endpoint], PRICES)

    # An endpoint in two zones is 730 hours at 0.01 each; the larger instance 730 hours at 0.016 more.
    assert re.fullmatch(
        r"Monthly cost: (\S+) → (\S+) dollars \(\+26\.28\), at 500 orders a day and 1 open page: "
        r"Interface endpoints \+14\.60, RDS \+11\.68",
        both,
    )
    same = cost_change.sentence(before, before, PRICES)
    assert re.fullmatch(r"Monthly cost: \S+ dollars, unchanged, at 500 orders a day and 1 open page", same)
    assert both.split()[2] == same.split()[2]


def test_a_service_without_a_price_is_named_beside_the_difference(dev: Program) -> None:
    before = [asdict(resource) for resource in dev.resources]
    text = cost_change.sentence(before, _with_instance(before, "db.r9x.huge"), PRICES)
    assert text.endswith(": RDS -11.68; not included, without a price: rds.db_r9x_huge_hour")


def _with_instance(resources: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [
        {**resource, "inputs": {**resource["inputs"], "instanceClass": kind}}
        if resource["type"] == "aws:rds/instance:Instance"
        else resource
        for resource in resources
    ]
