"""The scripts behind `make`: their messages when something is missing, and repeated runs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from cli.stack import REPOSITORY

# All that the scripts need of a machine, without what they are to find missing.
TOOLS = ("awk", "bash", "cat", "cmp", "cut", "dirname", "env", "grep", "head", "id", "mktemp", "rm", "sed")


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A machine without Python, package manager, database and browser: the only folder on the path."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found is not None
        (directory / name).symlink_to(found)
    return directory


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the set-up reads."""
    directory = tmp_path / "checkout"
    (directory / "scripts/js").mkdir(parents=True)
    for name in (
        "scripts/setup",
        "scripts/pulumi",
        "scripts/js/package-lock.json",
        "Pulumi.yaml",
        "pyproject.toml",
        "requirements-dev.txt",
        "requirements-ministack.txt",
    ):
        shutil.copy(REPOSITORY / name, directory / name)
    return directory


def program(path: Path, text: str) -> None:
    """Write a shell program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def run(checkout: Path, tools: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the checkout on the bare machine."""
    return subprocess.run(
        [checkout / "scripts" / words[0], *words[1:]],
        env={"PATH": str(tools), "HOME": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
    )


def python_with_uv(checkout: Path) -> Path:
    """Create an environment whose `uv` records its arguments in a file; return that file."""
    notes = checkout / "notes"
    version = next(
        line.split("==")[1].split()[0]
        for line in (REPOSITORY / "requirements-dev.txt").read_text().splitlines()
        if line.startswith("uv==")
    )
    make_environment = "/bin/mkdir -p .venv-ministack/bin && /bin/ln -s /bin/sh .venv-ministack/bin/python"
    program(checkout / ".venv/bin/python", "exit 0")
    program(
        checkout / ".venv/bin/uv",
        f'[ "$1" = --version ] && echo "uv {version}" && exit\n'
        f'echo "$@" >> "{notes}"\n'
        f'if [ "$1" = venv ]; then {make_environment}; fi',
    )
    return notes


def test_without_a_package_manager_the_missing_program_is_named(checkout: Path, tools: Path) -> None:
    result = run(checkout, tools, "setup", "python")

    assert result.returncode == 2
    assert result.stderr == (
        "set-up: Python 3.11 or newer is missing, and neither apt-get nor Homebrew is here to install it: "
        "please install it.\n"
    )


def test_a_database_that_cannot_be_installed_is_named(checkout: Path, tools: Path) -> None:
    if any((Path(folder) / "mariadbd").exists() for folder in ("/usr/sbin", "/usr/local/sbin")):
        program(tools / "mariadb-install-db", "")  # found as on any Debian
        assert run(checkout, tools, "setup", "database").returncode == 0
        (tools / "mariadb-install-db").unlink()

    result = run(checkout, tools, "setup", "database")

    assert result.returncode == 2
    assert "The MariaDB server (mariadbd, mariadb-install-db) is missing" in result.stderr


def test_homebrew_is_used_where_there_is_no_apt(checkout: Path, tools: Path) -> None:
    program(tools / "brew", f'echo "$@" > {checkout}/brewed\nprintf "" > {tools}/mariadb-install-db')

    run(checkout, tools, "setup", "database")

    assert (checkout / "brewed").read_text().split() == ["install", "--quiet", "mariadb"]


def test_apt_never_removes_what_is_there_and_shows_why_it_failed(checkout: Path, tools: Path) -> None:
    program(tools / "apt-get", f'echo "$@" >> {checkout}/asked\necho "E: held broken packages" >&2\nexit 100')
    program(tools / "sudo", 'exec "$@"')

    result = run(checkout, tools, "setup", "database")

    first, second, third = (checkout / "asked").read_text().splitlines()
    assert "--no-remove mariadb-server-core" in first
    assert second.endswith(" update")
    assert third == first
    assert result.returncode == 2
    assert "E: held broken packages" in result.stderr
    assert "set-up: apt-get could not install mariadb-server-core: see above" in result.stderr


def test_packages_are_installed_by_hash_and_only_once(checkout: Path, tools: Path) -> None:
    notes = python_with_uv(checkout)

    first = run(checkout, tools, "setup", "python")
    second = run(checkout, tools, "setup", "python")

    assert (first.returncode, second.returncode) == (0, 0)
    assert "installing the pinned Python packages" in first.stderr
    assert second.stderr == ""
    assert notes.read_text().splitlines() == [
        "pip sync --quiet --python .venv/bin/python --require-hashes requirements-dev.txt",
        "pip install --quiet --python .venv/bin/python --no-deps --editable .",
    ]


def test_a_changed_pin_is_installed(checkout: Path, tools: Path) -> None:
    notes = python_with_uv(checkout)
    run(checkout, tools, "setup", "python")
    with (checkout / "requirements-dev.txt").open("a") as pins:
        pins.write("# changed\n")

    run(checkout, tools, "setup", "python")

    assert len(notes.read_text().splitlines()) == 4


def test_a_failed_installation_is_repeated(checkout: Path, tools: Path) -> None:
    notes = python_with_uv(checkout)
    uv = (checkout / ".venv/bin/uv").read_text()
    program(checkout / ".venv/bin/uv", uv.removeprefix("#!/bin/sh\n") + "\nexit 1")

    failed = run(checkout, tools, "setup", "python")
    again = run(checkout, tools, "setup", "python")

    assert (failed.returncode, again.returncode) == (2, 2)
    assert "uv could not install the pinned packages" in failed.stderr
    assert len(notes.read_text().splitlines()) == 2


def test_an_environment_that_was_moved_is_created_again(checkout: Path, tools: Path, tmp_path: Path) -> None:
    python_with_uv(checkout)
    run(checkout, tools, "setup", "python")
    moved = checkout.rename(tmp_path / "elsewhere")

    result = run(moved, tools, "setup", "python")

    assert not (moved / ".venv/bin/uv").exists()
    assert "Python 3.11 or newer is missing" in result.stderr


def test_an_environment_of_another_user_is_reported_in_one_line(checkout: Path, tools: Path) -> None:
    program(checkout / ".venv/bin/python", "exit 126")
    (tools / "rm").unlink()
    program(tools / "rm", "echo \"rm: cannot remove '$2/pyvenv.cfg'\" >&2; exit 1")

    result = run(checkout, tools, "setup", "python")

    assert result.returncode == 2
    (sentence,) = result.stderr.splitlines()
    assert f"{checkout}/.venv is outdated and belongs to another user" in sentence


def environments(notes: Path) -> list[str]:
    """Return the interpreters of MiniStack's environments, in the order in which they were made."""
    lines = notes.read_text().splitlines()
    return [line.split()[3] for line in lines if line.startswith("venv --quiet --python ")]


@pytest.mark.parametrize("place", ["bin/python3.12", "checkout/.pyenv/versions/3.12.1/bin/python"])
def test_the_functions_run_on_the_version_that_the_setting_names(
    checkout: Path, tools: Path, tmp_path: Path, place: str
) -> None:
    notes = python_with_uv(checkout)
    program(tmp_path / place, "echo 3.12")

    first = run(checkout, tools, "setup", "ministack")
    second = run(checkout, tools, "setup", "ministack")

    assert (first.returncode, second.returncode, second.stderr) == (0, 0, "")
    assert environments(notes) == [str(tmp_path / place)]


def test_a_version_that_is_missing_is_named_and_used_once_it_is_there(checkout: Path, tools: Path) -> None:
    notes = python_with_uv(checkout)
    program(tools / "python3.12", "exit 127")  # as pyenv's, for a version that is not chosen

    missing = run(checkout, tools, "setup", "ministack")
    program(tools / "python3.12", "echo 3.12")
    run(checkout, tools, "setup", "ministack")

    assert "Python 3.12, the setting pythonRuntime, is not installed" in missing.stderr
    assert environments(notes) == [".venv/bin/python", str(tools / "python3.12")]


def test_another_version_in_the_setting_creates_the_environment_again(checkout: Path, tools: Path) -> None:
    notes = python_with_uv(checkout)
    for version in ("3.12", "3.13"):
        program(tools / f"python{version}", f"echo {version}")
    run(checkout, tools, "setup", "ministack")
    settings = (checkout / "Pulumi.yaml").read_text()
    (checkout / "Pulumi.yaml").write_text(settings.replace("default: python3.12", "default: python3.13"))

    run(checkout, tools, "setup", "ministack")

    assert environments(notes) == [str(tools / "python3.12"), str(tools / "python3.13")]


def test_the_checks_of_javascript_are_installed_from_their_lock_and_only_once(
    checkout: Path, tools: Path
) -> None:
    notes = python_with_uv(checkout)
    program(tools / "node", "exit 0")
    program(tools / "npm", f'echo "npm $@" >> "{notes}"; /bin/mkdir -p scripts/js/node_modules')

    run(checkout, tools, "setup", "javascript")
    second = run(checkout, tools, "setup", "javascript")

    assert (second.returncode, second.stderr) == (0, "")
    assert [line for line in notes.read_text().splitlines() if "npm" in line] == [
        "npm ci --prefix scripts/js --ignore-scripts --no-audit --no-fund --loglevel=error"
    ]


def test_a_machine_without_node_gets_it_from_pypi(checkout: Path, tools: Path) -> None:
    notes = python_with_uv(checkout)

    result = run(checkout, tools, "setup", "javascript")

    assert "installing Node into .venv" in result.stderr
    assert "--require-hashes --requirement requirements-node.txt" in notes.read_text()


@pytest.mark.parametrize("words", [[], ["everything"]])
def test_an_unknown_part_is_wrong_usage(checkout: Path, tools: Path, words: list[str]) -> None:
    result = run(checkout, tools, "setup", *words)

    assert result.returncode == 2
    assert "python, ministack, database, browser" in result.stderr


def test_a_deploy_without_the_pulumi_cli_names_its_installation_page(checkout: Path, tools: Path) -> None:
    result = run(checkout, tools, "pulumi", "up", "dev")

    assert result.returncode == 2
    assert result.stderr == (
        "The Pulumi CLI is not installed: see https://www.pulumi.com/docs/install/ and try again.\n"
    )


def test_a_deploy_without_a_state_backend_names_the_command_to_log_in(checkout: Path, tools: Path) -> None:
    program(tools / "pulumi", '[ "$1" != whoami ]')
    program(checkout / ".venv/bin/python", "exit 0")

    result = run(checkout, tools, "pulumi", "up", "dev")

    assert result.returncode == 2
    assert "`pulumi login`" in result.stderr


@pytest.mark.parametrize(
    ("words", "typed"),
    [
        # A preview creates nothing, not even a stack.
        (["preview", "dev"], ["stack select dev", "preview --stack dev"]),
        (["up", "prod", "--yes"], ["stack select --create prod", "up --stack prod --yes"]),
        (["refresh", "dev"], ["stack select dev", "refresh --stack dev"]),
        (["destroy", "dev"], ["stack select dev", "destroy --stack dev"]),
    ],
)
def test_pulumi_gets_the_stack_as_an_option(
    checkout: Path, tools: Path, words: list[str], typed: list[str]
) -> None:
    program(tools / "pulumi", f'echo "$@" >> {checkout}/typed')
    program(checkout / ".venv/bin/python", "exit 0")

    assert run(checkout, tools, "pulumi", *words).returncode == 0

    assert (checkout / "typed").read_text().splitlines()[-2:] == typed


def test_a_preview_of_a_misspelt_stack_names_the_command_that_creates_one(
    checkout: Path, tools: Path
) -> None:
    program(tools / "pulumi", '[ "$1" != stack ]')

    result = run(checkout, tools, "pulumi", "preview", "prdo")

    assert result.returncode == 2
    assert "`pulumi stack init prdo` creates this one" in result.stderr


@pytest.mark.parametrize(("checked", "deployed"), [(0, True), (1, True), (2, False)])
@pytest.mark.parametrize("command", ["preview", "up"])
def test_a_deploy_that_the_check_refuses_is_not_started(
    checkout: Path, tools: Path, checked: int, deployed: bool, command: str
) -> None:
    """A check that fails itself, with 1, prevents nothing."""
    program(tools / "pulumi", f'echo "$@" >> {checkout}/typed')
    program(checkout / ".venv/bin/python", f'echo "$@" >> {checkout}/typed; exit {checked}')

    result = run(checkout, tools, "pulumi", command, "dev", "--diff")

    typed = (checkout / "typed").read_text().splitlines()
    assert "-m cli.preflight dev --diff" in typed
    assert (f"{command} --stack dev --diff" in typed) == deployed
    assert result.returncode == (0 if deployed else 2)


@pytest.mark.parametrize("command", ["refresh", "destroy"])
def test_commands_that_deploy_nothing_are_not_checked(checkout: Path, tools: Path, command: str) -> None:
    program(tools / "pulumi", "exit 0")
    program(checkout / ".venv/bin/python", "exit 2")

    assert run(checkout, tools, "pulumi", command, "dev").returncode == 0


def test_a_failed_deploy_names_its_page_of_the_runbook(checkout: Path, tools: Path) -> None:
    program(tools / "pulumi", '[ "$1" != up ] || exit 255')
    program(checkout / ".venv/bin/python", "exit 0")

    result = run(checkout, tools, "pulumi", "up", "dev")

    assert result.returncode == 255
    assert 'docs/runbook.md, "A deploy failed half-way"' in result.stderr
    assert "CloudFront" in result.stderr


def test_a_deploy_of_a_stack_named_local_refers_to_make_local(checkout: Path, tools: Path) -> None:
    result = run(checkout, tools, "pulumi", "up", "local")

    assert result.returncode == 2
    assert "`make local`" in result.stderr


def test_make_without_a_target_lists_the_targets() -> None:
    listed = subprocess.run(["make"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout

    for target in (
        "local",
        "test",
        "quick",
        "lint",
        "format",
        "preview",
        "deploy",
        "destroy",
        "lock",
        "clean",
    ):
        assert f"  make {target} " in listed
