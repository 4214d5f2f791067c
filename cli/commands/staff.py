"""`cafe staff`: who may sign in to the kitchen's page, and what is then printed."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import stack
from cli.errors import AnswerError
from cli.options import DEFAULT_STACK, AsJson, Debug, Directory, SentenceGroup, StackName, Yes, examples, text
from cli.terminal import confirm, out, plain, print_json, say

if TYPE_CHECKING:
    from cli.users import People

app = typer.Typer(
    cls=SentenceGroup,
    no_args_is_help=True,
    help="Say who works in the kitchen: sees orders and moves them, once signed in.",
    epilog=examples("cafe staff add ada@example.com --stack prod", "cafe staff list"),
)


class Role(StrEnum):
    """Roles that this command gives; viewers come from the setting `dashboardUsers`."""

    STAFF = "staff"
    MANAGER = "manager"


def _email(value: str) -> str:
    """Check an address, and write it as the user pool compares it."""
    from infra import setting_parsers

    address = (text(value) or "").strip().lower()
    try:
        if not address:
            raise ValueError("must be an e-mail address such as ada@example.com")
        return setting_parsers.email(address)
    except ValueError as error:
        raise typer.BadParameter(f"It {error}.") from None


Email = Annotated[
    str,
    typer.Argument(metavar="EMAIL", callback=_email, help="The person's e-mail address.", show_default=False),
]


@app.command("list", epilog=examples("cafe staff list", "cafe staff list --stack prod --json"))
def list_command(
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List who may sign in, and as what."""
    from cli.tables import Column, Table

    people = _people(stack_name, directory).all()
    if as_json:
        print_json({"people": [asdict(person) for person in people]})
        return
    table = Table("May sign in", (Column("Address"), Column("Role"), Column("Account")))
    for person in people:
        state = "invited" if person.invited else "in use"
        table.add_row(plain(person.email), person.role or "none", state)
    if people:
        out.print(table)
    else:
        say("Nobody may sign in: `cafe staff add EMAIL` invites somebody.")


@app.command(
    "add",
    epilog=examples(
        "cafe staff add ada@example.com", "cafe staff add bo@example.com --role manager --stack prod"
    ),
)
def add_command(
    email: Email,
    role: Annotated[Role, typer.Option(help="A manager also cancels orders that are ready.")] = Role.STAFF,
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Let somebody sign in to the kitchen's page, or give somebody another role.

    Who has no account is invited by an e-mail with a password for the first time; typed again, the command
    sends another invitation. A local stack sends no e-mails: it prints the password. A tablet on the wall is
    best a user of its own. Who is in the setting dashboardUsers is managed by Pulumi, and refused.
    """
    from cli import users

    was, password = _people(stack_name, directory).add(email, users.Role(role))
    if as_json:
        print_json({"email": email, "role": role, "is_new": was is None, "password": password})
        return
    if password:
        say(f"{email} is {role} now, and signs in with the password {password}")
    elif was is None or was.invited:
        say(f"{email} is {role} now, and invited by e-mail.")
    elif str(was.role) == role.value:
        say(f"{email} is {role} already.")
    else:
        say(f"{email} is {role} now; where they are signed in, within 15 minutes.")


@app.command("remove", epilog=examples("cafe staff remove ada@example.com --stack prod"))
def remove_command(
    email: Email,
    yes: Yes = False,
    stack_name: StackName = DEFAULT_STACK,
    directory: Directory = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Delete somebody's account: pages where they are signed in stop within 15 minutes."""
    people = _people(stack_name, directory)
    person = people.find(email)
    if person is None:
        raise AnswerError(f"{email} has no account: `cafe staff list` shows who has.")
    confirm(f"Delete the account of {person.email} ({person.role or 'no role'})?", yes=yes)
    people.remove(email)
    if as_json:
        print_json({"email": email, "removed": True})
    else:
        say(f"{email} was removed; pages where they are signed in stop within 15 minutes.")


def _people(stack_name: str, directory: Path | None) -> "People":
    from cli import aws
    from cli.users import People

    target = stack.load(stack_name, directory)
    return People(target, aws.Clients(target))
