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
# Digits of an exponent in the text. No message has enough zeros to compensate for a longer one.
LONGEST_EXPONENT = 9
_CONTEXT = Context(prec=MAX_DIGITS)


@dataclass(frozen=True, slots=True)
class NumberText:
    """A JSON number as it was written, such as one that DynamoDB cannot hold."""

    text: str


def exact(text: str) -> int | Decimal | NumberText:
    """Return the value of a JSON number if DynamoDB can hold it, else the number as it was written.

    A `Decimal` keeps trailing zeros (`1.10`) up to `MAX_DIGITS` digits. Exponents are never expanded, so that
    a short text such as `1e999999` does not become a huge number.
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
    """Format a result of `exact` without trailing zeros, as DynamoDB keeps it."""
    # DynamoDB refuses some forms of zero, such as 0E+200.
    return str(Decimal(number).normalize(_CONTEXT)) if number else "0"


def canonical(text: str) -> NumberText:
    """Return a JSON number in canonical form: `1.10`, `1.1` and `11e-1` are equal."""
    number = exact(text)
    return number if isinstance(number, NumberText) else NumberText(shortest(number))


def decode(text: str, number: Callable[[str], object] = exact) -> object:
    """Decode JSON; raise ValueError if it is invalid, as NaN is, RecursionError if it is nested too deeply.

    `number` converts the text of each number; `NumberText` keeps it as it was written.
    """
    return _decoder(number).decode(text)


@cache
def _decoder(number: Callable[[str], object]) -> json.JSONDecoder:
    """Return a cached decoder: creating one takes as long as decoding an order."""
    return json.JSONDecoder(parse_int=number, parse_float=number, parse_constant=_refuse)


@cache
def _encoder(ensure_ascii: bool) -> json.JSONEncoder:
    return json.JSONEncoder(ensure_ascii=ensure_ascii)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def encode(
    value: object, *, ensure_ascii: bool = True, sort_keys: bool = False, indent: int | None = None
) -> str:
    """Encode a value as `json.dumps` does, and each `Decimal` and `NumberText` as a number."""
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
