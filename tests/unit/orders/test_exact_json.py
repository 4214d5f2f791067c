"""JSON numbers keep their exact value; those beyond DynamoDB's range stay text, and none is expanded."""

from __future__ import annotations

import json
from decimal import Context, Decimal, Inexact, localcontext
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.exact_json import LONGEST_EXPONENT, NumberText, decode, encode, exact, shortest
from tests.json_numbers import JSON_NUMBERS

NINES = "9" * 38


@given(JSON_NUMBERS)
def test_a_number_has_its_exact_value_or_is_refused(text: str) -> None:
    value = Fraction(text)
    digits = f"{abs(value.numerator)}".rstrip("0")
    while value and value.denominator > 1:  # a power of ten in time
        value *= 10
        digits = f"{abs(value.numerator)}".rstrip("0")
    magnitude = abs(Fraction(text))
    in_range = magnitude == 0 or Fraction("1e-130") <= magnitude < Fraction("1e126")

    number = exact(text)

    if len(digits) > 38 or not in_range:
        assert number == NumberText(text)
    else:
        assert isinstance(number, int | Decimal)
        assert Fraction(number) == Fraction(text)
        assert Fraction(shortest(number)) == Fraction(text)
        assert len(Decimal(number).as_tuple().digits) <= 38


@pytest.mark.parametrize(
    ("text", "number", "in_dynamodb"),
    [
        ("1.10", Decimal("1.10"), "1.1"),
        ("100", 100, "1E+2"),
        ("1" + "0" * 5000 + "e-5000", Decimal(1), "1"),
        ("0." + "0" * 5000 + "1e5001", 1, "1"),
        ("1e" + "0" * 5000 + "2", Decimal("1E+2"), "1E+2"),
        ("5e1", 50, "5E+1"),
        ("5e-1", Decimal("0.5"), "0.5"),
        ("-0", Decimal("-0"), "0"),
        ("0.00", 0, "0"),
        ("0e999999999999", 0, "0"),
        # At the limits.
        ("1e125", Decimal("1E+125"), "1E+125"),
        (f"{NINES}e88", Decimal(f"{NINES}E+88"), f"9.{NINES[1:]}E+125"),
        ("1e-130", Decimal("1E-130"), "1E-130"),
        ("1" + "0" * 125, Decimal("1E+125"), "1E+125"),
        ("0." + "0" * 129 + "1", Decimal("1E-130"), "1E-130"),
        (f"{NINES}e-167", Decimal(f"{NINES}E-167"), f"9.{NINES[1:]}E-130"),
        (f"1{'0' * (LONGEST_EXPONENT - 1)}e-{'0' * 9}8", Decimal(1), "1"),
    ],
)
def test_numbers_in_the_range_of_dynamodb_are_exact(
    text: str, number: int | Decimal, in_dynamodb: str
) -> None:
    found = exact(text)
    assert isinstance(found, int | Decimal)
    assert (found, shortest(found)) == (number, in_dynamodb)


@pytest.mark.parametrize(
    "text",
    [
        *("1e126", f"{NINES}e89", "1e-131", "1" + "0" * 126, "0." + "0" * 130 + "1", f"{NINES}e-168"),
        *(f"{NINES}9", f"1{'0' * 37}1", f"0.{NINES}9", f"{NINES}.9"),
        *("1e400", "1e-400", "1e999999999", "1e-999999999", "1e9999999999", "1e-9999999999"),
        *(f"1e{'9' * 100_000}", f"1e-{'9' * 100_000}", "9" * 100_000, f"0.{'9' * 100_000}"),
    ],
)
@pytest.mark.parametrize("sign", ["", "-"])
def test_numbers_out_of_the_range_of_dynamodb_stay_text(text: str, sign: str) -> None:
    assert decode(f"[{sign}{text}]") == [NumberText(f"{sign}{text}")]
    assert encode(decode(sign + text)) == sign + text


@given(JSON_NUMBERS)
def test_a_written_number_reads_the_same(text: str) -> None:
    number = decode(text)
    assert decode(encode(number)) == number
    assert encode(decode(text, NumberText)) == text


def test_the_callers_decimal_context_changes_nothing() -> None:
    with localcontext(Context(prec=3, Emax=9, Emin=-9, traps=[Inexact])):
        assert encode(decode(f"[{NINES}e88, 1.2345]")) == f"[9.{NINES[1:]}E+125, 1.2345]"
        assert shortest(Decimal(f"{NINES}E+88")) == f"9.{NINES[1:]}E+125"


VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(VALUES, st.booleans(), st.booleans(), st.sampled_from([None, 2]))
def test_any_other_value_is_written_as_by_json(
    value: object, ensure_ascii: bool, sort_keys: bool, indent: int | None
) -> None:
    options: Any = {"ensure_ascii": ensure_ascii, "sort_keys": sort_keys, "indent": indent}
    assert encode(value, **options) == json.dumps(value, **options)


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "-Infinity", "01", "1.", ".5", "+1", "1e", "0x1", "1_000", "٣"]
)
def test_an_invalid_json_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(text)
