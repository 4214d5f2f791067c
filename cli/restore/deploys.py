"""Deploys of a restore: its settings, which are checked and then deployed by `scripts/pulumi`."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cli import account_checks, preflight, stack
from cli.errors import CafeError, OperationError
from cli.restore.backups import Snapshot
from cli.stack import REPOSITORY, Stack
from cli.stopping import stopping
from cli.terminal import note

SNAPSHOT, STORAGE, PROTECTION = "databaseSnapshot", "databaseStorage", "deletionProtection"
STANDARD_ERROR = 2


@dataclass
class Deploys:
    """A deployed stack, and its next deploys."""

    stack: Stack
    yes: bool  # Pulumi does not ask
    quiet: bool  # its output goes to standard error

    @property
    def deployed(self) -> dict[str, Any]:
        """Return the settings of the last successful deploy, as far as they are compared."""
        found: dict[str, Any] = json.loads(self.stack.output("deployed_settings"))
        return found

    def settings(self) -> dict[str, str]:
        """Return the settings of the next deploy."""
        prefix = f"{preflight.project()}:"
        return {key.removeprefix(prefix): value for key, value in self._configuration().items()}

    def changes(self, snapshot: Snapshot) -> dict[str, str]:
        """Return the settings for a database from a snapshot, which must be large enough for it."""
        changed = {SNAPSHOT: snapshot.name}
        if snapshot.gigabytes > int(self.settings()[STORAGE]):
            changed[STORAGE] = str(snapshot.gigabytes)
        return changed

    def refuse(self, changed: Mapping[str, str]) -> None:
        """Check a deploy of changed settings without deletion protection; print warnings, raise refusals."""
        configuration = self._configuration()
        wanted = configuration | {f"{preflight.project()}:{key}": value for key, value in changed.items()}
        unprotected = json.dumps(self.deployed | {PROTECTION: False})
        outputs = {**self.stack.outputs, "deployed_settings": unprotected}
        clients = account_checks.clients(configuration, outputs)
        found = preflight.findings(self.stack.name, wanted, outputs, clients)
        for finding in found:
            if not finding.refuses:
                note(f"Warning: {finding.sentence}", style="yellow")
        if reasons := [finding.sentence for finding in found if finding.refuses]:
            raise OperationError("\n".join(("This cannot be restored:", *(f"  {each}" for each in reasons))))

    def deploy(self, changed: Mapping[str, str]) -> None:
        """Deploy changed settings, which stay in the stack's file; Pulumi shows the changes, and asks."""
        options = [word for key, value in changed.items() for word in ("--config", f"{key}={value}")]
        command = ["scripts/pulumi", "up", self.stack.name, *options, *(["--yes"] if self.yes else [])]
        output = STANDARD_ERROR if self.quiet else None
        # Pulumi gets the same Ctrl-C, completes the current step, and reports it.
        with stopping() as stop:
            status = subprocess.Popen(command, cwd=REPOSITORY, stdout=output).wait()
        if stop.is_set():
            raise CafeError("The deploy was stopped.", exit_code=130)
        if status != 0:
            raise OperationError("The deploy failed, for the reason above.")
        self.stack = stack.load(self.stack.name)

    def put_back(self, keys: Iterable[str]) -> None:
        """Reset settings in the stack's file to the deployed values."""
        for key in keys:
            found = self.deployed[key]
            value = found if isinstance(found, str) else json.dumps(found)
            command = ["pulumi", "config", "set", key, value, "--stack", self.stack.name]
            if subprocess.run(command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, check=False).returncode:
                raise OperationError(f"Pulumi cannot set {key}: set it to {value!r} yourself.")

    def _configuration(self) -> dict[str, str]:
        try:
            return preflight.read_configuration(self.stack.name)
        except (subprocess.SubprocessError, ValueError, OSError) as error:
            name = self.stack.name
            raise OperationError(f"Pulumi cannot read the settings of stack {name}: {error}.") from error
