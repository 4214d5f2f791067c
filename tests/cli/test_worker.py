"""`cafe worker`: pausing and resuming the worker."""

from __future__ import annotations

import json

import pytest

from cli import worker
from tests.cli.conftest import Cafe
from tests.cli.stand_in import FakeFunctions


def test_the_worker_is_paused_and_resumed(
    dev_cafe: Cafe, functions: FakeFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)

    assert dev_cafe("worker", "pause").stdout == "The worker is paused; orders wait in the queue.\n"
    assert functions.state == "Disabled"
    assert json.loads(dev_cafe("worker", "resume", "--json").stdout) == {"stack": "dev", "state": "Enabled"}


def test_a_mapping_that_keeps_its_state_is_an_error(
    dev_cafe: Cafe, functions: FakeFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "SWITCH_TIMEOUT", 0)
    monkeypatch.setattr(functions, "update_event_source_mapping", lambda **_words: None)

    result = dev_cafe("worker", "pause")

    assert result.exit_code == 1
    assert "still Enabled" in result.stderr
