"""Numbers of things, in words: `1 order`, `1,000 orders`."""

from __future__ import annotations


def number(count: int, noun: str) -> str:
    """Return a number with its noun, which takes an s where there is not exactly one."""
    return f"{count:,} {noun if count == 1 else noun + 's'}"


def orders(count: int) -> str:
    """Return a number of orders."""
    return number(count, "order")


def were(count: int) -> str:
    """Return the verb for a number of things."""
    return "was" if count == 1 else "were"


def lines(count: int) -> str:
    """Return a number of lines."""
    return number(count, "line")


def messages(count: int) -> str:
    """Return a number of messages."""
    return number(count, "message")
