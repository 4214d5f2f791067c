"""Undocumented functions of Pulumi that local mode uses, and its coverage of the provider's types.

If one of the first tests fails after an update of Pulumi, adapt `local/program.py` and `deployer.py` and
`outputs.py` in `local/deployer/`.
"""

from __future__ import annotations

import inspect
import re
from importlib.metadata import version
from pathlib import Path

import pulumi_aws as aws
import pulumi_random as random
import pytest
from pulumi import _types
from pulumi.runtime import mocks, rpc, set_mocks
from pulumi.runtime import settings as runtime
from pulumi.runtime.stack import wait_for_rpcs
from pulumi.type_token import get_type_token

from local.deployer.registry import INVOKES, RESOURCES
from local.emulator import ministack, patches

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("package", ["pulumi", "pulumi-aws", "pulumi-random"])
def test_pulumi_is_pinned_to_the_version_that_these_tests_ran_with(package: str) -> None:
    assert f"\n{package}=={version(package)} " in (ROOT / "requirements.txt").read_text()


def test_pulumi_can_wait_for_all_resources() -> None:
    assert inspect.iscoroutinefunction(wait_for_rpcs)
    assert list(inspect.signature(runtime.get_root_resource).parameters) == []


def test_mocks_are_set_with_project_stack_and_preview() -> None:
    assert {"project", "stack", "preview"} <= set(inspect.signature(set_mocks).parameters)


def test_mocks_get_the_id_of_a_lookup_and_whether_a_resource_is_a_component() -> None:
    arguments = mocks.MockResourceArgs("type", "name", {}, resource_id="id", custom=False)
    assert (arguments.resource_id, arguments.custom) == ("id", False)


def test_secrets_can_be_wrapped_and_unwrapped() -> None:
    wrapped = rpc.wrap_rpc_secret("hidden")
    assert rpc.is_rpc_secret(wrapped)
    assert rpc.unwrap_rpc_secret(wrapped) == "hidden"


def test_the_outputs_of_a_resource_type_can_be_listed() -> None:
    names = _types.resource_pulumi_to_py_names(aws.sqs.Queue)
    assert {"arn", "url", "visibilityTimeoutSeconds"} <= set(names)
    assert get_type_token(aws.sqs.Queue) == "aws:sqs/queue:Queue"


def _program() -> str:
    # Local mode ignores the settings of a domain, without which the program declares nothing of this module.
    modules = set((ROOT / "infra").glob("*.py")) - {ROOT / "infra" / "domain.py"}
    return "".join(path.read_text() for path in [ROOT / "__main__.py", *modules])


# The provider warns about its own deprecated modules.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_local_mode_supports_exactly_the_types_that_the_program_declares() -> None:
    program = _program()
    declared = {
        getattr(getattr(aws, module), name)
        for module, name in re.findall(r"\baws\.(\w+)\.([A-Z]\w+)\(", program)
    }
    declared |= {getattr(random, name) for name in re.findall(r"\brandom\.([A-Z]\w+)\(", program)}
    assert {get_type_token(item) for item in declared} == set(RESOURCES)


def test_local_mode_supports_exactly_the_invokes_that_the_program_calls() -> None:
    called = set(re.findall(r"\baws\.get_(\w+)\(", _program()))
    known = {re.sub(r"(?<!^)(?=[A-Z])", "_", token.rpartition(":get")[2]).lower() for token in INVOKES}
    assert called == known


def test_every_ignored_input_has_a_reason() -> None:
    for kind in RESOURCES.values():
        assert all(len(reason) > 10 for reason in kind.ignored.values())


def test_ministacks_script_for_functions_has_the_lines_that_are_patched() -> None:
    (script,) = (ROOT / ministack.ENVIRONMENT).glob(
        "lib/python*/site-packages/ministack/core/lambda_runtime.py"
    )
    assert script.read_text().count(f"\n{patches.IMPORTS_BOTOCORE}    try:") == 1
    assert script.read_text().count(f"        try:\n            {patches.CALLS_HANDLER}\n") == 1
