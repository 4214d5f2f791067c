"""AWS's prices, from `prices.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

TABLE = Path(__file__).parent / "prices.toml"


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars per unit, such as `dynamodb.write_unit`."""

    region: str
    as_of: date
    by_name: Mapping[str, float]
    always_free: Mapping[str, float]  # units per month and account

    def __getitem__(self, name: str) -> float:
        return self.by_name[name]


def read(table: Path = TABLE) -> Prices:
    """Read the table of prices."""
    document = tomllib.loads(table.read_text(encoding="utf-8"))
    region, as_of, always_free = (document.pop(key) for key in ("region", "as_of", "always_free"))
    by_name = {
        f"{service}.{unit}": price for service, units in document.items() for unit, price in units.items()
    }
    return Prices(region, as_of, by_name, always_free)
