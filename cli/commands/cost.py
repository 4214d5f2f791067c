"""`cafe cost`: the monthly price of a stack, from the resources that the program registers."""

import subprocess
from typing import Annotated, Any

import typer
import yaml

from cli.errors import SetUpError
from cli.options import AsJson, Debug, commands, examples, unwrapped
from cli.progress import waiting
from cli.stack import REPOSITORY
from cli.tables import Kind, Table
from cli.terminal import out, print_json, say
from infra import cost, prices

MAX_ORDERS = 10_000_000
MAX_SCREENS = 1_000
LEVERS = 3
LEVER_WORDS = {
    "rds.gp3_gb_month": "storage of the database: `databaseStorage`, `databaseMultiAz`",
    "vpc.interface_endpoint_zone_hour": "interface endpoints: `privateEndpoints` false has none",
    "secrets_manager.secret_month": "secrets",
    "cloudwatch.alarm_month": "alarms",
    "cloudwatch.dashboard_month": "the dashboard",
    "cloudwatch.metric_month": "metrics",
    "cloudwatch.log_gb": "logs",
    "api_gateway.request": "requests to the API: fewer open pages",
    "cloudfront.request": "requests to CloudFront: fewer open pages",
    "dynamodb.read_unit": "reads from DynamoDB: fewer open pages",
    "dynamodb.write_unit": "writes to DynamoDB: larger batches (`batchWindow`)",
    "lambda.gb_second_arm": "time of functions: `memorySize`",
    "lambda.request": "invocations of functions: larger batches (`batchWindow`)",
    "sns.publish": "messages of SNS",
    "sqs.request": "requests to SQS",
}


@commands.command(
    "cost", epilog=examples("cafe cost", "cafe cost --stack prod --orders-per-day 2000 --screens 3")
)
@unwrapped
def cost_command(
    stack_name: Annotated[str, typer.Option("--stack", help="A stack with a file Pulumi.NAME.yaml.")] = "dev",
    orders_per_day: Annotated[
        int, typer.Option(min=0, max=MAX_ORDERS, help="Orders over HTTP.")
    ] = cost.Use.orders_a_day,
    screens: Annotated[
        int, typer.Option(min=0, max=MAX_SCREENS, help="Order-status pages that are open day and night.")
    ] = cost.Use.screens,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Compute the monthly price of a stack by service, before or after it is deployed.

    From the resources that the program registers with the stack's settings, and the prices in
    infra/prices.toml. It calls neither Pulumi nor AWS. Data transfer, S3 (cents), and backups larger than the
    database are not included.
    """
    use = cost.Use(orders_a_day=orders_per_day, screens=screens)
    with waiting("Running the program"):
        bill = cost.bill(_resources(stack_name), use)
    table = prices.read()
    if as_json:
        print_json(_document(stack_name, bill, table))
    else:
        _show(stack_name, bill, table)


def _resources(stack: str) -> list[dict[str, Any]]:
    """Record what the program registers, in another process without the environment."""
    if not (REPOSITORY / f"Pulumi.{stack}.yaml").is_file():
        known = sorted(path.name.split(".")[1] for path in REPOSITORY.glob("Pulumi.*.yaml"))
        raise SetUpError(f"Pulumi.{stack}.yaml does not exist. Stacks with a file: {', '.join(known)}.")
    from infra import recording  # Pulumi takes longer to import than most commands run

    try:
        return list(recording.record_separately(stack)["resources"])
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip() or f"The program ended with exit code {error.returncode}."
        raise SetUpError(reason) from None


def _region(stack: str) -> str | None:
    """Return the region that the stack's file names."""
    document = yaml.safe_load((REPOSITORY / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8")) or {}
    region: str | None = (document.get("config") or {}).get("aws:region")
    return region


def _show(stack: str, bill: cost.Bill, table: prices.Prices) -> None:
    orders, screens = bill.use.orders_a_day * cost.DAYS, bill.use.screens
    amounts = ("Idle", f"{bill.use.orders_a_day:,} orders a day", f"Open pages: {screens}", "Total")
    rows = Table(
        f"US dollars a month: {stack}, {table.region}, prices of {table.as_of}",
        {"Service": Kind.NAME} | dict.fromkeys(amounts, Kind.NUMBER),
    )
    columns = [
        {service: price * times for service, price in cost.by_service(part, table).items()}
        for part, times in ((bill.idle, 1), (bill.order, orders), (bill.screen, screens), (bill.total, 1))
    ]
    for service in sorted(columns[-1], key=lambda service: -columns[-1][service]):
        rows.add_row(cost.SERVICES[service], *(f"{column.get(service, 0):.2f}" for column in columns))
    rows.add_row("Total", *(f"{sum(column.values()):.2f}" for column in columns))
    out.print(rows)
    free, total = bill.always_free(table), sum(columns[-1].values())
    say(f"An account with nothing else gets {free:.2f} of it free every month: {total - free:.2f} remain.")
    if (region := _region(stack)) not in {None, table.region}:
        say(f"The stack is in {region}, where prices differ from these of {table.region}.", style="yellow")
    for name in cost.unpriced(bill.total, table):
        say(f"Not included: infra/prices.toml has no price for {name}.", style="yellow")
    million, page = 1e6 * cost.dollars(bill.order, table), cost.dollars(bill.screen, table)
    say(f"A million orders cost {million:.2f}, and a page that is open day and night {page:.2f} a month.")
    say("Most of it is for:")
    parts = {name: cost.dollars({name: amount}, table) for name, amount in bill.total.items()}
    for name in sorted(parts, key=lambda name: -parts[name])[:LEVERS]:
        say(f"  {parts[name]:6.2f}  {_lever(name)}")


def _lever(name: str) -> str:
    """Return what an amount is for, and the settings that change it."""
    service, _, unit = name.partition(".")
    if service == "rds" and unit.endswith("_hour"):
        instance = unit.removesuffix("_hour").replace("_", ".")
        return f"the database, {instance}: `databaseInstanceClass`, `databaseMultiAz`"
    return LEVER_WORDS.get(name, name)


def _document(stack: str, bill: cost.Bill, table: prices.Prices) -> dict[str, Any]:
    total = cost.dollars(bill.total, table)
    return {
        "stack": stack,
        "region": _region(stack),
        "prices_of": table.region,
        "prices_as_of": table.as_of.isoformat(),
        "orders_per_day": bill.use.orders_a_day,
        "screens": bill.use.screens,
        "at_rest": cost.by_service(bill.idle, table),
        "per_order": cost.dollars(bill.order, table),
        "per_screen": cost.dollars(bill.screen, table),
        "total": total,
        "always_free": bill.always_free(table),
        "unpriced": cost.unpriced(bill.total, table),
    }
