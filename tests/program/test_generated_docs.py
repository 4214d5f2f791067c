"""The generated docs are current."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from infra import generated_docs
from infra.generated_docs import ALARM_TABLES, WITH_ALL_ALARMS
from infra.settings import SettingsError
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


def test_a_wrong_setting_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise SettingsError("batchSize: must be a whole number")

    monkeypatch.setattr(generated_docs, "record", refuse)
    assert generated_docs.main() == 2
    assert capsys.readouterr().err == "The docs cannot be generated: batchSize: must be a whole number\n"
