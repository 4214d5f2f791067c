"""JSON whose numbers keep their exact decimal value: `int` or `Decimal`, never `float`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import cache
from typing import NoReturn

# DynamoDB's numbers: 38 significant digits, from 1E-130 to 9.99…E+125, zero, and their negatives.
MAX_DIGITS = 38
MIN_EXPONENT, MAX_EXPONENT = -130, 125
# Digits of an exponent as it is written. No message is long enough to make up for a longer one with zeros.
LONGEST_EXPONENT = 9
_CONTEXT = Context(prec=MAX_DIGITS)


@dataclass(frozen=True, slots=True)
class NumberText:
    """A JSON number as it was written; `decode` makes it of each that DynamoDB cannot hold."""

    text: str


def exact(text: str) -> int | Decimal | NumberText:
    """Return the value of a JSON number if DynamoDB can hold it, and else the number as it is written.

    A `Decimal` keeps zeros at the end (`1.10`), unless they would make it longer than `MAX_DIGITS`.
    No exponent is expanded: the result has at most `MAX_DIGITS` digits, whatever `text` is.
    """
    if len(text) <= MAX_DIGITS and text.isdigit():
        return int(text)
    mantissa, _, power = text.lower().partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    written = (whole + fraction).lstrip("0")
    digits = written.rstrip("0")
    if not digits:
        return Decimal("-0") if sign else 0
    power_digits = power.lstrip("+-").lstrip("0") or "0"
    if len(digits) > MAX_DIGITS or len(power_digits) > LONGEST_EXPONENT:
        return NumberText(text)
    exponent = (-int(power_digits) if power.startswith("-") else int(power_digits)) - len(fraction)
    if not MIN_EXPONENT <= exponent + len(written) - 1 <= MAX_EXPONENT:
        return NumberText(text)
    if len(written) > MAX_DIGITS:
        exponent += len(written) - len(digits)
        written = digits
    return int(f"{sign}{written}") if exponent == 0 else Decimal(f"{sign}{written}E{exponent}")


def shortest(number: int | Decimal) -> str:
    """Write a number that `exact` returned without zeros at the end, as DynamoDB keeps it."""
    # DynamoDB refuses some spellings of zero, such as 0E+200.
    return str(Decimal(number).normalize(_CONTEXT)) if number else "0"


def canonical(text: str) -> NumberText:
    """Return a JSON number in one spelling: `1.10`, `1.1` and `11e-1` are the same."""
    number = exact(text)
    return number if isinstance(number, NumberText) else NumberText(shortest(number))


def decode(text: str, number: Callable[[str], object] = exact) -> object:
    """Decode JSON; raise ValueError if it is invalid, as NaN is, RecursionError if it is nested too deeply.

    `number` makes a value of each number; `NumberText` keeps all of them as they are written.
    """
    return _decoder(number).decode(text)


@cache
def _decoder(number: Callable[[str], object]) -> json.JSONDecoder:
    """Return the decoder for a kind of numbers: making one takes as long as decoding an order."""
    return json.JSONDecoder(parse_int=number, parse_float=number, parse_constant=_refuse)


@cache
def _encoder(ensure_ascii: bool) -> json.JSONEncoder:
    return json.JSONEncoder(ensure_ascii=ensure_ascii)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def encode(
    value: object, *, ensure_ascii: bool = True, sort_keys: bool = False, indent: int | None = None
) -> str:
    """Write a value as `json.dumps` does, and each `Decimal` and `NumberText` as the number that it is."""
    write_other = _encoder(ensure_ascii).encode

    def write(value: object, margin: str) -> str:
        inner = margin + " " * (indent or 0)
        match value:
            case Decimal():
                return str(value)
            case NumberText():
                return value.text
            case dict():
                names = sorted(value) if sort_keys else value
                members = (f"{write_other(name)}: {write(value[name], inner)}" for name in names)
                return block("{", members, "}", margin)
            case list():
                return block("[", (write(each, inner) for each in value), "]", margin)
        return write_other(value)

    def block(start: str, members: Iterable[str], end: str, margin: str) -> str:
        if indent is None:
            return f"{start}{', '.join(members)}{end}"
        lines = f",\n{margin}{' ' * indent}".join(members)
        return f"{start}\n{margin}{' ' * indent}{lines}\n{margin}{end}" if lines else start + end

    return write(value, "")
