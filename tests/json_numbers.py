"""JSON numbers for property-based tests, many of them at the limits of what DynamoDB can hold."""

from hypothesis import strategies as st

DIGITS = st.text("0123456789", max_size=6) | st.integers(30, 45).flatmap(
    lambda size: st.text("0123456789", min_size=size, max_size=size)
)
WHOLES = st.just("0") | DIGITS.map(lambda digits: digits.lstrip("0") or "0")
FRACTIONS = st.just("") | DIGITS.filter(bool).map(".{}".format)
EXPONENTS = st.just("") | st.builds(
    "{}{}{}".format,
    st.sampled_from("eE"),
    st.sampled_from(["", "+", "-"]),
    st.integers(0, 180) | st.integers(120, 135) | st.just("0007"),
)
JSON_NUMBERS = st.builds("{}{}{}{}".format, st.sampled_from(["", "-"]), WHOLES, FRACTIONS, EXPONENTS)
