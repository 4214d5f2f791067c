"""The generated docs are current."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from infra import generated_docs
from infra.generated_docs import ALARM_TABLES, WITH_ALL_ALARMS
from tests.program.conftest import Program


def test_the_page_of_all_settings_is_current() -> None:
    page = generated_docs.SETTINGS.read_text(encoding="utf-8")
    assert page == generated_docs.settings_page(), "run `make docs`"


@pytest.mark.parametrize("file", ALARM_TABLES, ids=lambda file: file.name)
def test_a_table_of_alarms_is_current(with_settings: Callable[..., Program], file: Path) -> None:
    resources = map(asdict, with_settings(**WITH_ALL_ALARMS).resources)
    document = file.read_text(encoding="utf-8")
    table = generated_docs.alarm_table(resources, ALARM_TABLES[file])
    assert "#reconcilersilent) | " in table
    assert document == generated_docs.with_table(document, table), "run `make docs`"
