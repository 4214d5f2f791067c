"""`cafe staff`: users in the pool, and those that Pulumi manages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import Cafe, Pulumi
from tests.cli.kitchen import Staff
from tests.cli.stand_in import FakeAws, FakeFunctions, administrator
from tests.cli.user_pool import Pool


@pytest.fixture
def pool(dev: FakeAws, quick_clients: None, pulumi: Pulumi) -> Pool:
    found = Pool(administrator().users)
    pulumi.prints(json.dumps(dev.outputs() | {"user_pool_id": found.id}))
    return found


@pytest.fixture
def staff(cafe: Cafe, pool: Pool) -> Cafe:
    """The command on the stack `dev`."""
    return lambda *words: cafe("staff", *words, "--stack", "dev")


def people(staff: Cafe) -> dict[str, Any]:
    return {person["email"]: person for person in json.loads(staff("list", "--json").stdout)["people"]}


def test_a_new_user_is_invited_and_gets_the_role(staff: Cafe, pool: Pool) -> None:
    result = staff("add", "Ada@Example.com")
    assert result.exit_code == 0, result.output
    assert result.stdout == "ada@example.com is staff now, and invited by e-mail.\n"
    assert pool.groups("ada@example.com") == ["staff"]
    assert people(staff)["ada@example.com"]["invited"] is True


def test_a_role_is_changed_and_not_added(staff: Cafe, pool: Pool) -> None:
    staff("add", "ada@example.com", "--role", "manager")
    pool.accept("ada@example.com")
    assert (
        "is staff now; pages that are signed in follow within 15 minutes"
        in staff("add", "ada@example.com").stdout
    )
    assert pool.groups("ada@example.com") == ["staff"]
    assert "is staff already" in staff("add", "ada@example.com").stdout


def test_a_user_who_never_signed_in_is_invited_again(staff: Cafe) -> None:
    staff("add", "ada@example.com")
    assert "invited by e-mail" in staff("add", "ada@example.com").stdout


@pytest.mark.parametrize("words", [("add", "bo@example.com"), ("remove", "bo@example.com", "--yes")])
def test_an_account_that_pulumi_manages_is_refused(staff: Cafe, pool: Pool, words: tuple[str, ...]) -> None:
    pool.invite("bo@example.com", "viewer")
    result = staff(*words)
    assert result.exit_code == 1
    assert "dashboardUsers" in result.stderr
    assert pool.groups("bo@example.com") == ["viewer"]


def test_a_removed_user_has_no_account(staff: Cafe, pool: Pool) -> None:
    staff("add", "ada@example.com")
    user_id = pool.name("ada@example.com")
    assert staff("remove", "ada@example.com").exit_code == 2  # without confirmation
    removed = staff("remove", "ada@example.com", "--yes")
    assert removed.exit_code == 0
    assert f"`cafe forget {user_id}` erases the account's id" in removed.stdout
    assert people(staff) == {}
    result = staff("remove", "ada@example.com", "--yes")
    assert result.exit_code == 1
    assert "ada@example.com has no account" in result.stderr


def test_users_are_listed_with_the_highest_role(staff: Cafe, pool: Pool) -> None:
    pool.invite("viewer@example.com", "viewer")
    staff("add", "boss@example.com", "--role", "manager")
    assert [(p["email"], p["role"], p["managed"]) for p in people(staff).values()] == [
        ("boss@example.com", "manager", False),
        ("viewer@example.com", "viewer", True),
    ]
    assert "boss@example.com" in staff("list").stdout


def test_the_actor_of_a_move_is_shown_by_e_mail_address(
    cafe: Cafe, pool: Pool, functions: FakeFunctions
) -> None:
    pool.invite("ada@example.com", "staff")
    moved = {"version": 2, "from": "received", "to": "ready", "at": "2026-11-26T13:00:00Z", "reason": None}
    gone = "00000000-0000-4000-8000-000000000000"
    actors = [pool.name("ada@example.com"), gone, "operator"]
    Staff(functions).orders[0]["history"] = [{**moved, "actor": actor} for actor in actors]
    lines = cafe("orders", "show", "K42", "--stack", "dev").stdout.splitlines()[-3:]
    assert [line.rpartition(" by ")[2] for line in lines] == ["ada@example.com", gone, "operator"]


@pytest.mark.parametrize("email", ["", "ada", "ada@", "ä@example.com", "a@b"])
def test_an_invalid_address_is_wrong_usage(staff: Cafe, email: str) -> None:
    result = staff("add", email)
    assert result.exit_code == 2
    assert "e-mail address" in result.output
