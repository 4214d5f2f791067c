"""A stack in a temporary folder with its settings, its state, and Pulumi's home."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import yaml

from infra.protection import PROTECTED
from infra.recording import PROJECT, ROOT
from tests.engine.operation import Operation, Outcome, run
from tests.program.conftest import FORKS, NEUTRAL
from tests.program.replacements import FORCE_REPLACEMENT


class Stack:
    """A stack for tests.

    Parameters
    ----------
    cli
        Pulumi's CLI.
    folder
        Existing directory for all files.
    """

    def __init__(self, name: str, cli: Path, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self._cli = cli
        self._settings = folder / f"Pulumi.{name}.yaml"

    @classmethod
    def new(cls, name: str, cli: Path, folder: Path, program: Path = ROOT) -> Stack:
        """Create a stack with the program's settings and no state."""
        shutil.copy(program / "Pulumi.yaml", folder)
        shutil.copy(program / f"Pulumi.{name}.yaml", folder)
        (folder / "state").mkdir()
        stack = cls(name, cli, folder)
        known = yaml.safe_load((program / "Pulumi.yaml").read_text("utf-8"))["config"]
        stack._change({key: value for key, value in NEUTRAL.items() if key in known})
        return stack

    @classmethod
    def of_state(cls, name: str, cli: Path, folder: Path, state: str) -> Stack:
        """Create a stack with a state, and with the program's settings."""
        stack = cls.new(name, cli, folder)
        stack.state.parent.mkdir(parents=True)
        stack.state.write_text(state, "utf-8")
        # The key of its secrets is derived from the salt and the passphrase.
        salt = json.loads(state)["checkpoint"]["latest"]["secrets_providers"]["state"]["salt"]
        with stack._settings.open("a", encoding="utf-8") as settings:
            settings.write(f"encryptionsalt: {salt}\n")
        return stack

    def copy(self, folder: Path) -> Stack:
        """Copy the stack."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return Stack(self.name, self._cli, folder)

    def preview(self, changes: Mapping[str, str] = MappingProxyType({})) -> Outcome:
        """Preview a deploy, with changed settings."""
        self._change(changes)
        return self._run("preview")

    def up(
        self, changes: Mapping[str, str] = MappingProxyType({}), *, program: Path = ROOT, refused: str = ""
    ) -> Outcome:
        """Deploy without a preview.

        Parameters
        ----------
        changes
            Changed settings, in YAML; later operations keep them.
        program
            The folder of the program.
        refused
            A resource that the fake providers refuse, such as `Queue OrderQueue`.
        """
        self._change(changes)
        return self._run("up", program, refused)

    def destroy(self) -> Outcome:
        """Destroy without a preview."""
        return self._run("destroy")

    @property
    def state(self) -> Path:
        """The file with the stack's state."""
        return self.folder / f"state/.pulumi/stacks/{PROJECT}/{self.name}.json"

    @property
    def resources(self) -> list[dict[str, Any]]:
        """Return the resources in the state, without those of Pulumi itself."""
        latest = json.loads(self.state.read_text("utf-8"))["checkpoint"]["latest"]
        return [each for each in latest.get("resources", []) if not each["type"].startswith("pulumi:")]

    @property
    def urns(self) -> set[str]:
        """Return the URNs of the resources in the state."""
        return {resource["urn"] for resource in self.resources}

    def _change(self, settings: Mapping[str, str]) -> None:
        document = yaml.safe_load(self._settings.read_text("utf-8"))
        for key, text in settings.items():
            document["config"][f"{PROJECT}:{key}"] = yaml.safe_load(text) if text else ""
        self._settings.write_text(yaml.safe_dump(document), "utf-8")

    def _run(
        self, verb: Literal["preview", "up", "destroy"], program: Path = ROOT, refused: str = ""
    ) -> Outcome:
        operation = Operation(
            verb=verb,
            stack=self.name,
            folder=self.folder,
            program=program,
            refused=refused,
            environment={
                "PATH": f"{self._cli.parent}{os.pathsep}{os.environ['PATH']}",
                "HOME": str(self.folder),
                "PULUMI_HOME": str(self.folder / "home"),
                "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
                "PULUMI_CONFIG_PASSPHRASE": "passphrase",
                "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
                "PULUMI_SKIP_UPDATE_CHECK": "true",
                # Write the state once per operation: after each step takes five times as long.
                "PULUMI_EXPERIMENTAL": "true",
                "PULUMI_SKIP_CHECKPOINTS": "true",
            },
        )
        with ProcessPoolExecutor(1, FORKS) as apart:
            return apart.submit(run, operation).result()


def lost(outcome: Outcome) -> set[str]:
    """Return the deleted and replaced resources with data or a public address, and of the network."""
    verbs = {"delete", "replace", "create-replacement", "delete-replaced"}
    types = PROTECTED | FORCE_REPLACEMENT.keys()
    return {str(step) for step in outcome.steps if step.verb in verbs and step.type in types}


def plain_secrets(stack: Stack, *outcomes: Outcome) -> set[str]:
    """Return the secrets of deploys that are in plain text in the stack's files."""
    text = "".join(path.read_text("utf-8", "replace") for path in stack.folder.rglob("*") if path.is_file())
    secrets = {secret for outcome in outcomes for secret in outcome.secrets}
    assert secrets
    return {secret for secret in secrets if secret in text}
