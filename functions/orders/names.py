"""Names of items and customers: validate them, and shorten those of customers."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

MAX_NAME = 100  # characters
NOT_UNICODE = "must be text that can be written as UTF-8"
# Invisible characters: controls, spaces, blank symbols, and Unicode's Default_Ignorable_Code_Point
# (https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt).
INVISIBLE = re.compile(
    r"[\x00-\x20\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f"
    r"\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\U00013441\U00013442"
    r"\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a\U000e0000-\U000e0fff]*"
)
# Blank characters that `str.split` does not treat as whitespace.
BLANKS = "\u115f\u1160\u180e\u200b\u2060\u2800\u3164\ufeff\uffa0"
JOINER = "\u200d"  # joins two emoji into one: woman + rocket
JOIN_CONTROLS = "\u200c" + JOINER  # inside words of some scripts, and inside emoji


def parse_name(value: object) -> str:
    """Return the name of an item or a customer without surrounding spaces.

    Raises ValueError if it is not text, cannot be encoded, is too long, or has no visible character.
    """
    name = value.strip() if isinstance(value, str) else ""
    if not is_unicode(name):
        raise ValueError(NOT_UNICODE)
    if len(name) > MAX_NAME or INVISIBLE.fullmatch(name):
        raise ValueError(f"must be text of 1 to {MAX_NAME} characters that are not all invisible")
    return name


def is_unicode(text: str) -> bool:
    """Return whether a text can be encoded as UTF-8; JSON text may hold a lone surrogate, which cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class CustomerNames(StrEnum):
    """Forms of a customer's name on the page: in full, first name and initial, or none."""

    FULL = "full"
    INITIAL = "initial"
    NONE = "none"

    def shorten(self, name: str | None) -> str | None:
        """Return `Ada Lovelace` in full, as `Ada L.`, or as an empty text; legacy rows may lack a name."""
        match self:
            case CustomerNames.FULL:
                return name
            case CustomerNames.INITIAL:
                return None if name is None else _first_name_and_initial(name)
        return ""


def _first_name_and_initial(name: str) -> str:
    """Return the first word and the initial of the last; a single word stays as it is."""
    words = "".join(map(_plain, unicodedata.normalize("NFC", name))).split()
    # A word of punctuation alone has no initial.
    words = [word for word in words if any(map(_has_initial, word))] or words[:1]
    if len(words) < 2:
        return " ".join(words)
    return f"{words[0]} {_initial(words[-1])}."


def _plain(character: str) -> str:
    """Replace control and blank characters by a space; drop other format characters, such as bidi marks."""
    category = unicodedata.category(character)
    if character in BLANKS or category == "Cc":
        return " "
    is_joined = character in JOIN_CONTROLS or _is_tag(character)
    return "" if category == "Cf" and not is_joined else character


def _has_initial(character: str) -> bool:
    """Return whether a character is a letter, digit or symbol."""
    return unicodedata.category(character)[0] in "LNS"


def _initial(word: str) -> str:
    """Return the first letter or emoji with its combining characters: a grapheme cluster."""
    start = next(index for index, character in enumerate(word) if _has_initial(character))
    end = start + 1
    while end < len(word) and (_extends(word[end]) or _is_joined(word[end - 1], word[end])):
        end += 1
    if _is_flag_half(word[start]) and end < len(word) and _is_flag_half(word[end]):
        end += 1
    return word[start:end]


def _extends(character: str) -> bool:
    """Return whether a character is a mark, a join control, a tag or a skin tone of an emoji."""
    is_mark = unicodedata.category(character)[0] == "M"
    is_skin_tone = "\U0001f3fb" <= character <= "\U0001f3ff"
    return is_mark or is_skin_tone or character in JOIN_CONTROLS or _is_tag(character)


def _is_joined(joiner: str, character: str) -> bool:
    return joiner == JOINER and unicodedata.category(character) == "So"


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _is_tag(character: str) -> bool:
    return "\U000e0020" <= character <= "\U000e007f"
