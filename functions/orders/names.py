"""Names of items and customers: what is one, and how much of a customer's everybody may read."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

MAX_NAME = 100  # characters
NOT_UNICODE = "must be text that can be written as UTF-8"
# Characters that leave no trace on a screen: controls, spaces, Unicode's Default_Ignorable_Code_Point
# (https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt), and signs without ink.
INVISIBLE = re.compile(
    r"[\x00-\x20\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f"
    r"\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\U00013441\U00013442"
    r"\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a\U000e0000-\U000e0fff]*"
)
# What looks like a space without being one to Python: of no width, or a letter without ink.
BLANKS = "\u115f\u1160\u180e\u200b\u2060\u2800\u3164\ufeff\uffa0"
JOINER = "\u200d"  # makes one sign of two: woman + rocket
ENDS_NO_SIGN = "\u200c" + JOINER  # inside words of some scripts, and inside emoji


def parse_name(value: object) -> str:
    """Return the name of an item or a customer without the spaces around it.

    Raises ValueError if it is not text, cannot be stored, is too long, or nothing of it would be visible.
    """
    name = value.strip() if isinstance(value, str) else ""
    if not is_unicode(name):
        raise ValueError(NOT_UNICODE)
    if len(name) > MAX_NAME or INVISIBLE.fullmatch(name):
        raise ValueError(f"must be text of 1 to {MAX_NAME} characters that are not all invisible")
    return name


def is_unicode(text: str) -> bool:
    """Return whether UTF-8 can hold a text; half a surrogate pair, which JSON can spell, is refused."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class CustomerNames(StrEnum):
    """What is told of a customer's name."""

    FULL = "full"
    INITIAL = "initial"
    NONE = "none"

    def shorten(self, name: str | None) -> str | None:
        """Shorten a name: `Ada Lovelace` to `Ada L.` or to nothing; None, in rows of before, has no name."""
        match self:
            case CustomerNames.FULL:
                return name
            case CustomerNames.INITIAL:
                return None if name is None else _first_name_and_initial(name)
        return ""


def _first_name_and_initial(name: str) -> str:
    """Keep the first word and the initial of the last.

    A name of one word, and so one that is written without spaces, stays as it is.
    """
    words = "".join(map(_plain, unicodedata.normalize("NFC", name))).split()
    # A word of punctuation alone has no initial.
    words = [word for word in words if any(map(_has_initial, word))] or words[:1]
    if len(words) < 2:
        return " ".join(words)
    return f"{words[0]} {_initial(words[-1])}."


def _plain(character: str) -> str:
    """Leave out what is not seen, such as marks that turn the direction of what follows, unended once cut."""
    category = unicodedata.category(character)
    if character in BLANKS or category == "Cc":
        return " "
    is_part_of_a_sign = character in ENDS_NO_SIGN or _is_tag(character)
    return "" if category == "Cf" and not is_part_of_a_sign else character


def _has_initial(character: str) -> bool:
    """Tell letters, digits and symbols from punctuation, marks and what is not seen."""
    return unicodedata.category(character)[0] in "LNS"


def _initial(word: str) -> str:
    """Take the first letter or emoji with all that belongs to it, as people see it."""
    start = next(place for place, character in enumerate(word) if _has_initial(character))
    end = start + 1
    while end < len(word) and (_extends(word[end]) or _is_joined(word[end - 1], word[end])):
        end += 1
    if _is_flag_half(word[start]) and end < len(word) and _is_flag_half(word[end]):
        end += 1
    return word[start:end]


def _extends(character: str) -> bool:
    """Tell accents, vowel signs, joiners and the skin colours and regions of emoji."""
    is_mark = unicodedata.category(character)[0] == "M"
    return (
        is_mark
        or character in ENDS_NO_SIGN
        or _is_tag(character)
        or "\U0001f3fb" <= character <= "\U0001f3ff"
    )


def _is_joined(joiner: str, character: str) -> bool:
    return joiner == JOINER and unicodedata.category(character) == "So"


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _is_tag(character: str) -> bool:
    return "\U000e0020" <= character <= "\U000e007f"
