"""Compare what the settings accept as a language tag or a time zone with `Intl` in Chromium."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING

import pytest

from infra import languages

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# The formats that web/formats.js uses
ACCEPTS = """(tags) => tags.map((tag) => {
  try {
    const [canonical] = Intl.getCanonicalLocales(tag);
    new Intl.NumberFormat(tag).format(1234.5);
    new Intl.DateTimeFormat(tag, { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" }).format(0);
    new Intl.RelativeTimeFormat(tag, { numeric: "auto" }).format(0, "second");
    return canonical !== undefined;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return false;
  }
})"""
LANGUAGES = "en de zh und yue root abcde abcdefghi i x C no sgn art EN"
SUBTAGS = """
Latn latn DE us 419 12 BE bok min nan 1996 1901 posix oed lojban
u t x a 0 ca nu kf gregory latn true m0 d0 1a a1 ab1 12345678 123456789
"""
ODD_SUBTAGS = ["", "é", "１２", "_", "en", "ekavsk"]
# RFC 5646's grandfathered tags, and tags from the issue trackers of browsers
KNOWN = """
art-lojban cel-gaulish en-GB-oed i-ami i-bnn i-default i-enochian i-hak i-klingon i-lux i-mingo i-navajo
i-pwn i-tao i-tay i-tsu no-bok no-nyn sgn-BE-FR sgn-BE-NL sgn-CH-DE zh-guoyu zh-hakka zh-min zh-min-nan
zh-xiang en-12 de-DE-DE de-1996-1996 hy-arevela-arevela en-u en-u-a en-t en-x en-a-bc-a-cd en-a-bcd-x-a-a
en-u-ca-gregory-ca-islamic en-t-de-1996-1996 de-1996-t-de-1996 en-t-de-1996-x-1996-1996 en-u-attr1-attr1
en-t-m0-true-m0-true en_US en-US-u-va-posix cmn-Hans-CN sr-Latn-RS-ekavsk
ja-JP-u-ca-japanese-nu-jpanfin-x-japan th-TH-u-nu-thai-hc-h12
"""


def tags() -> Iterator[str]:
    """Yield tags: known ones, every language with two subtags, and longer ones at random."""
    yield from ["", "-", "en-", "-en", "en--US", " en", "en ", "en\n", *KNOWN.split()]
    languages, subtags = LANGUAGES.split(), SUBTAGS.split()
    for tag in itertools.product(languages, [*subtags, *ODD_SUBTAGS], [*subtags, *ODD_SUBTAGS]):
        yield "-".join(tag)
    random = Random(0)  # noqa: S311
    for _ in range(40_000):
        following = random.choices([*subtags, ""], k=random.randint(1, 7))
        yield "-".join([random.choice(languages[:5]), *following])


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_page() as page:
        yield page


def test_the_settings_accept_the_language_tags_that_intl_accepts_and_no_others(page: Page) -> None:
    all_tags = sorted(set(tags()))
    accepted = [tag for tag in all_tags if languages.is_locale(tag)]
    assert 2_000 < len(accepted) < len(all_tags) / 2
    verdicts = zip(accepted, page.evaluate(ACCEPTS, accepted), strict=True)
    assert [tag for tag, is_accepted in verdicts if not is_accepted] == []
    others = sorted({*all_tags} - {*accepted})
    verdicts = zip(others, page.evaluate(ACCEPTS, others), strict=True)
    by_chromium = [tag for tag, is_accepted in verdicts if is_accepted and len(tag) <= languages.MAX_TAG]
    # Against the standard, Chromium ignores what follows a repeated keyword, and accepts `art-lojban-lojban`.
    assert len(by_chromium) < len(others) / 1000, by_chromium


def test_intl_accepts_the_longest_language_tags(page: Page) -> None:
    room = languages.MAX_TAG - len("de-DE-u-attribut")
    longest = [
        "de-" + "-".join(f"{number:04}" for number in range(1000, 1015)),
        "de-DE-u-attribut" + ("-" + "a" * 7) * (room // 8),
        "de-x" + "-a" * 38,
    ]
    assert all(languages.is_locale(tag) and len(tag) > languages.MAX_TAG - 8 for tag in longest)
    assert page.evaluate(ACCEPTS, longest) == [True] * len(longest)


def test_intl_accepts_every_time_zone_of_the_settings(page: Page) -> None:
    names = sorted(languages.time_zones())
    refused = page.evaluate(
        """(names) => names.filter((timeZone) => {
          try { new Intl.DateTimeFormat("en", { timeStyle: "short", timeZone }).format(0); return false; }
          catch { return true; }
        })""",
        names,
    )
    assert len(names) > 500
    assert refused == []
