"""The change of a stack's monthly price between two programs, for `make diff` and pull requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from infra import cost
from infra.prices import Prices

UNKNOWN = "Monthly cost: not known"

Resources = Iterable[Mapping[str, Any]]


def sentence(before: Resources, after: Resources, prices: Prices) -> str:
    """Return both prices, and the services whose price changes.

    Both programs have the same prices, orders and screens, so that only their resources differ.
    """
    use = cost.Use()
    old, new = (cost.bill(resources, use).total for resources in (before, after))
    at = f"at {use.orders_a_day} orders a day and {use.screens} open page"
    was, now = (round(cost.dollars(amounts, prices), 2) for amounts in (old, new))
    changes = _changes(cost.by_service(old, prices), cost.by_service(new, prices))
    if changes:
        named = ", ".join(f"{cost.SERVICES[service]} {change:+.2f}" for service, change in changes.items())
        text = f"Monthly cost: {was:.2f} → {now:.2f} dollars ({now - was:+.2f}), {at}: {named}"
    else:
        text = f"Monthly cost: {now:.2f} dollars, unchanged, {at}"
    missing = sorted({*cost.unpriced(old, prices), *cost.unpriced(new, prices)})
    return f"{text}; not included, without a price: {', '.join(missing)}" if missing else text


def _changes(old: Mapping[str, float], new: Mapping[str, float]) -> dict[str, float]:
    """Return the changes of a cent or more by service, the largest first."""
    changes = {service: round(new.get(service, 0) - old.get(service, 0), 2) for service in {**old, **new}}
    largest_first = sorted(changes, key=lambda service: -abs(changes[service]))
    return {service: changes[service] for service in largest_first if changes[service]}
