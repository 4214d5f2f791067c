"""Shortened names of customers, in any script."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.names import INVISIBLE, MAX_NAME, CustomerNames, parse_name

INITIAL = CustomerNames.INITIAL


def test_a_name_has_at_most_100_characters() -> None:
    assert parse_name(" " + "x" * MAX_NAME + "\n") == "x" * 100
    with pytest.raises(ValueError, match="1 to 100 characters"):
        parse_name("x" * 101)


def test_every_space_and_every_control_character_is_blank() -> None:
    unseen = [
        chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) in {"Zs", "Zl", "Zp", "Cc"}
    ]
    assert INVISIBLE.fullmatch("".join(unseen))


@given(st.text("\u200b\u2800\u3164\ufe0f\U000e0020\u202e \t\x00\xad"))
def test_a_name_of_invisible_characters_only_is_empty(name: str) -> None:
    with pytest.raises(ValueError, match="not all invisible"):
        parse_name(name)


@pytest.mark.parametrize(
    "name", ["x", "é", "李", "👍🏽", "👩\u200d🚀", "\u200fעדה", "-", "\u0301", "\u0600", "\ue000"]
)
def test_a_name_with_a_visible_character_is_unchanged(name: str) -> None:
    assert parse_name(f" {name} ") == name


@pytest.mark.parametrize(
    ("name", "shortened"),
    [
        ("Ada Lovelace", "Ada L."),
        ("Ada", "Ada"),
        ("Guest", "Guest"),
        ("Ada King of Lovelace", "Ada L."),
        ("Jean-Luc O'Brien", "Jean-Luc O."),
        ("ada lovelace", "ada l."),
        ("Ada L.", "Ada L."),
        ("Ada (Lovelace)", "Ada L."),
        ("Ada -", "Ada"),
        ("? !", "?"),
        ("Table 7", "Table 7."),
        ("<b>Ada</b> <i>Lovelace", "<b>Ada</b> <."),
    ],
)
def test_a_name_is_shortened_to_the_first_name_and_an_initial(name: str, shortened: str) -> None:
    assert INITIAL.shorten(name) == shortened


@pytest.mark.parametrize(
    "gap",
    [
        "  ",
        "\t",
        "\n",
        "\u00a0",
        "\u2003",
        "\u3000",
        "\u200b",
        "\u2060",
        "\ufeff",
        "\u3164",
        "\u2800",
        "\x00",
        " \u200b ",
    ],
)
def test_any_white_space_separates_names(gap: str) -> None:
    assert INITIAL.shorten(f"{gap}Ada{gap}Lovelace{gap}") == "Ada L."


@pytest.mark.parametrize(
    ("last_name", "initial"),
    [
        ("E\u0301milie", "\u00c9"),  # an accent of its own character, composed
        ("x\u0323\u0302yz", "x\u0323\u0302"),  # two accents that nothing composes
        ("\u1112\u1161\u11ab", "\ud55c"),  # Korean, spelt in parts
        ("कि", "कि"),  # a letter and its vowel sign
        ("👩\u200d🚀Ride", "👩\u200d🚀"),
        ("👍🏽Ok", "👍🏽"),
        ("❤\ufe0fLove", "❤\ufe0f"),
        ("🇩🇪Berlin", "🇩🇪"),
        (
            "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f!",
            "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        ),
        ("𝒜da", "𝒜"),  # outside the first plane
        ("李", "李"),
        ("L\u200do\u200dv\u200de", "L\u200d"),  # joins no letters
    ],
)
def test_an_initial_is_one_grapheme(last_name: str, initial: str) -> None:
    assert INITIAL.shorten(f"Ada {last_name}") == f"Ada {initial}."


@pytest.mark.parametrize("mark", ["\u200e", "\u200f", "\u202e", "\u2067", "\u2066", "\u061c", "\u00ad"])
def test_bidi_marks_are_left_out(mark: str) -> None:
    assert INITIAL.shorten(f"{mark}Ada{mark} {mark}Lovelace{mark}") == "Ada L."


def test_right_to_left_names_are_shortened_as_well() -> None:
    assert INITIAL.shorten("עדה \u200fלאבלייס") == "עדה ל."


def test_a_legacy_row_has_no_name() -> None:
    assert [names.shorten(None) for names in CustomerNames] == [None, None, ""]


@pytest.mark.parametrize(("names", "shortened"), [("full", " Ada  Lovelace\u200f"), ("none", "")])
def test_names_are_shown_in_full_or_not_at_all_by_setting(names: str, shortened: str) -> None:
    assert CustomerNames(names).shorten(" Ada  Lovelace\u200f") == shortened


@given(st.text(max_size=100))
def test_any_text_is_shortened_to_two_words_at_most_and_stays_so_when_shortened_again(name: str) -> None:
    shortened = INITIAL.shorten(name) or ""
    assert len(shortened.split()) <= 2
    assert INITIAL.shorten(shortened) == shortened
    assert not any(
        unicodedata.bidirectional(character) in {"RLO", "LRO", "RLE", "LRE"} for character in shortened
    )
