"""Language tags that browsers' `Intl` accepts, and time zones of the functions' `zoneinfo`."""

from __future__ import annotations

import importlib.resources
import re
from functools import cache

MAX_TAG = 80  # characters; RFC 5646 requires 35, and Chromium refuses some tags of more than 140
_TYPE = r"-[a-z0-9]{3,8}"
_VARIANT = r"-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3})"


def _language(variants: str) -> str:
    """Return the pattern of a language with script, region and variants; `variants` names the last group."""
    region = r"(?:-(?:[a-z]{2}|[0-9]{3}))?"
    return rf"(?:[a-z]{{2,3}}|[a-z]{{5,8}})(?:-[a-z]{{4}})?{region}(?P<{variants}>(?:{_VARIANT})*)"


# `unicode_locale_id` of https://www.unicode.org/reports/tr35/#Unicode_locale_identifier
_KEYWORD = rf"-[a-z0-9][a-z](?:{_TYPE})*"
_FIELD = rf"-[a-z][0-9](?:{_TYPE})+"
_TAG = re.compile(
    _language("variants")
    + rf"(?:-u(?:(?:{_TYPE})+(?:{_KEYWORD})*|(?:{_KEYWORD})+)"
    + rf"|-t(?:-{_language('source_variants')}(?:{_FIELD})*|(?:{_FIELD})+)"
    + r"|-[0-9a-svwyz](?:-[a-z0-9]{2,8})+)*"
    + r"(?:-x(?:-[a-z0-9]{1,8})+)?"
)


def is_locale(tag: str) -> bool:
    """Return whether `Intl` accepts a language tag: valid syntax, and no variant or extension repeated.

    https://tc39.es/ecma402/#sec-isstructurallyvalidlanguagetag
    """
    tag = tag.lower() if tag.isascii() else ""
    found = _TAG.fullmatch(tag) if len(tag) <= MAX_TAG else None
    if found is None:
        return False
    # After `x`, subtags may repeat, and single characters do not start extensions.
    extensions = re.findall(r"-(\w)(?=-)", tag.partition("-x-")[0])
    groups = (extensions, *((found[name] or "").split("-")[1:] for name in ("variants", "source_variants")))
    return all(len(set(group)) == len(group) for group in groups)


@cache
def time_zones() -> frozenset[str]:
    """Return the names in the package `tzdata`, which archives include; the system's may differ."""
    return frozenset((importlib.resources.files("tzdata") / "zones").read_text(encoding="utf-8").split())
