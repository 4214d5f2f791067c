"""`cafe staff`: users of the kitchen's page."""

from dataclasses import asdict
from typing import Annotated, Literal

import typer

from cli.errors import OperationError
from cli.options import Target, Yes, command_group, stack_command, text
from cli.tables import Kind, Table
from cli.terminal import confirm, out, plain, print_json, say
from cli.users import Role, Users
from infra import setting_parsers

app = command_group("staff", "cafe staff add ada@example.com --stack prod", "cafe staff list")


def _email(value: str) -> str:
    """Check an address, and return it as the user pool compares it."""
    address = (text(value) or "").strip().lower()
    try:
        if not address:
            raise ValueError("must be an e-mail address such as ada@example.com")
        return setting_parsers.email(address)
    except ValueError as error:
        raise typer.BadParameter(f"It {error}.") from None


Email = Annotated[str, typer.Argument(metavar="EMAIL", callback=_email, help="The user's e-mail address.")]


@stack_command(app, "list", "cafe staff list", "cafe staff list --stack prod --json")
def list_command(target: Target) -> None:
    """List the users and their roles."""
    users = Users(target.clients).all()
    if target.as_json:
        print_json({"people": [asdict(user) for user in users]})
        return
    table = Table("Users", dict.fromkeys(("Address", "Role", "Account"), Kind.NAME))
    for user in users:
        state = "invited" if user.invited else "in use"
        table.add_row(plain(user.email), user.role or "none", state)
    if users:
        out.print(table)
    else:
        say("No user was found: `cafe staff add EMAIL` invites one.")


@stack_command(
    app, "add", "cafe staff add ada@example.com", "cafe staff add bo@example.com --role manager --stack prod"
)
def add_command(
    target: Target,
    email: Email,
    role: Annotated[
        Literal["staff", "manager"], typer.Option(help="A manager also cancels orders that are ready.")
    ] = "staff",
) -> None:
    """Let somebody sign in to the kitchen's page, or change somebody's role.

    A new user is invited by an e-mail with a first password; the command sends another invitation when it is
    repeated. A local stack sends no e-mails: it prints the password. Give a shared tablet a user of its own.
    Addresses in the setting dashboardUsers are managed by Pulumi, and refused.
    """
    before, password = Users(target.clients).add(email, Role(role))
    if password:
        sentence = f"{email} is {role} now, and signs in with the password {password}"
    elif before is None or before.invited:
        sentence = f"{email} is {role} now, and invited by e-mail."
    elif before.role == role:
        sentence = f"{email} is {role} already."
    else:
        sentence = f"{email} is {role} now; pages that are signed in follow within 15 minutes."
    target.print_result(
        {"email": email, "role": role, "is_new": before is None, "password": password}, sentence
    )


@stack_command(app, "remove", "cafe staff remove ada@example.com --stack prod")
def remove_command(target: Target, email: Email, yes: Yes = False) -> None:
    """Delete a user; pages that are signed in stop within 15 minutes.

    The user's id stays in the histories of orders that they moved; `cafe forget ID` erases it there.
    """
    users = Users(target.clients)
    user = users.find(email)
    if user is None:
        raise OperationError(f"{email} has no account: `cafe staff list` lists the users.")
    confirm(f"Delete the account of {user.email} ({user.role or 'no role'})?", yes=yes)
    users.remove(email)
    target.print_result(
        {"email": email, "id": user.name, "removed": True},
        f"{email} was removed; pages that are signed in stop within 15 minutes. `cafe forget {user.name}` "
        "erases the account's id from the histories of orders.",
    )
