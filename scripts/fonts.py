"""Build the pages' web fonts: `make fonts`.

Writes to web/: a WOFF2 subset of each font, with a hash of its content in its name; the licence of each
typeface; fonts.css, with the system's fallback fonts; and the new names into the pages. Writes to
tests/browser/fonts/: a wide and a narrow font for tests. Sources and tools (see the Makefile) are pinned, so
a second run changes nothing.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

ROOT = Path(__file__).parents[1]
WEB = ROOT / "web"
TESTS = ROOT / "tests" / "browser" / "fonts"

# npm packages with their versions, and the SHA-512 of their archives.
PACKAGES = {
    "@expo-google-fonts/figtree@0.4.1": "6IQQddGeR3yZBSwiIjy2kd1gA+5s2esF8JAFw6M1qqU4RUlj4Zxkw9J+gixAtZFgd+QIS875EPHqeYlpaRcCRw==",  # noqa: E501
    "@expo-google-fonts/literata@0.4.3": "AuxE7NB6Ae1laRK8uTcap5xI2MYTZOXrAWul4SNGBiq4igP7r/q8IO3vdvO/P1MGiRczuyZ1zhTwSm/CaYeq9A==",  # noqa: E501
    "@expo-google-fonts/arimo@0.4.3": "kXMUJ303nJgKjJFr8yuiAY9dgIoAoj9HccKkaSw0J63/T4MSdxFejzfDUVLzUz+ohpQWinifV99QOAUQLcGKDg==",  # noqa: E501
    "@expo-google-fonts/roboto@0.4.3": "kX3wmpmu06fN1yOwYWMdjYJWNUYW6xUiAGeHbvPzzSEb3A3j23JelQ3tAgwQNKgEKRq6wtMmzixy2r7y9c8dsA==",  # noqa: E501
    "@expo-google-fonts/gelasio@0.4.1": "mqSxj6OCIHnyRxqYYd3HSgDyWw9bI+DBWdyQRw9sNrqoceEh+3f43mY6yTrCKrBXqq0a1q9z76IvAp3HKHZQBw==",  # noqa: E501
    "@expo-google-fonts/tinos@0.4.2": "MQkfvUO1Aw7UP3jRtWLcjda+udanoL8ecrbkjbc3ZdhSI1iW/Uil4uD8O0eOiIxU2v/FeAT2XjGNiz5oYUlucg==",  # noqa: E501
    "@expo-google-fonts/noto-serif@0.4.2": "1xvAYegrtpCuPPunSyhvhV9FHWEzCWjikEoUJkvHt+WWvt+h7lKr+vkXNpqwFQM4W3KjXOccfLd5s04xLMjjDQ==",  # noqa: E501
    "@expo-google-fonts/barlow-condensed@0.4.1": "9yuXU1MpI4Dw/8rR4pj2EXcT4/31H5+DrrT47auF8IzD9r7SZPRoNVq8clRq7zxOTh7v1gJk3pBhydDVf2x/dA==",  # noqa: E501
    "dejavu-fonts-ttf@2.37.3": "f1hd7jJbeQa1VWcw+K2KrTXS50zTMaHpVC4XIKJpNcDeYR5ajMtj/iLlQDYNvLOKamUB3ARVVCf79lNwNVztSQ==",  # noqa: E501
}

# Latin with accents, punctuation, spaces and currency signs, as far as a font has them.
LATIN = (
    "U+20-7E, U+A0-17F, U+18F, U+192, U+1A0-1A1, U+1AF-1B0, U+1CD-1DC, U+1E6-1E7, U+1FA-21B, U+237, U+259, "
    "U+2BB-2BC, U+2C6-2C7, U+2D8-2DD, U+300-304, U+306-30C, U+312, U+31B, U+323, U+326-328, U+1E80-1E85, "
    "U+1E9E, U+1EA0-1EF9, U+2002-200B, U+2010-2015, U+2018-201E, U+2020-2022, U+2026, U+202F-2030, "
    "U+2032-2033, U+2039-203A, U+2044, U+20A0-20BF, U+2116, U+2122, U+2212, U+2215"
)
FEATURES = ["kern", "liga", "locl", "ccmp", "mark", "mkmk", "tnum", "lnum"]
# The same for all fonts: equal line heights, with figures vertically centered.
ASCENT, DESCENT = 0.95, 0.25
# Approximate letter frequencies, to compare the widths of two fonts.
SAMPLE = (
    "the quick order of a latte or cappuccino is on the way to the worker "
    "and counted in DynamoDB at 11:59 22 Nov"
)


@dataclass(frozen=True)
class Face:
    """One weight of a typeface, and the system's fallback fonts until it is loaded."""

    family: str
    weight: int
    source: str  # package and file
    system: dict[str, tuple[str, list[str]]]  # by family: a metrically compatible font, and the full names


FACES = (
    Face(
        "Figtree",
        400,
        "@expo-google-fonts/figtree:400Regular/Figtree_400Regular.ttf",
        {
            "Arial": (
                "@expo-google-fonts/arimo:400Regular/Arimo_400Regular.ttf",
                ["Arial", "ArialMT", "Liberation Sans", "Arimo", "Helvetica"],
            ),
            "Roboto": ("@expo-google-fonts/roboto:400Regular/Roboto_400Regular.ttf", ["Roboto"]),
            "DejaVu": ("dejavu-fonts-ttf:ttf/DejaVuSans.ttf", ["DejaVu Sans", "DejaVuSans"]),
        },
    ),
    Face(
        "Figtree",
        600,
        "@expo-google-fonts/figtree:600SemiBold/Figtree_600SemiBold.ttf",
        {
            "Arial": (
                "@expo-google-fonts/arimo:700Bold/Arimo_700Bold.ttf",
                ["Arial Bold", "Arial-BoldMT", "Liberation Sans Bold", "Arimo Bold", "Helvetica Bold"],
            ),
            "Roboto": (
                "@expo-google-fonts/roboto:700Bold/Roboto_700Bold.ttf",
                ["Roboto Bold", "Roboto-Bold"],
            ),
            "DejaVu": ("dejavu-fonts-ttf:ttf/DejaVuSans-Bold.ttf", ["DejaVu Sans Bold", "DejaVuSans-Bold"]),
        },
    ),
    Face(
        "Literata",
        600,
        "@expo-google-fonts/literata:600SemiBold/Literata_600SemiBold.ttf",
        {
            "Georgia": (
                "@expo-google-fonts/gelasio:700Bold/Gelasio_700Bold.ttf",
                ["Georgia Bold", "Georgia-Bold", "Gelasio Bold"],
            ),
            "Times": (
                "@expo-google-fonts/tinos:700Bold/Tinos_700Bold.ttf",
                ["Times New Roman Bold", "TimesNewRomanPS-BoldMT", "Liberation Serif Bold", "Tinos Bold"],
            ),
            "Noto": (
                "@expo-google-fonts/noto-serif:700Bold/NotoSerif_700Bold.ttf",
                ["Noto Serif Bold", "NotoSerif-Bold"],
            ),
            "DejaVu": (
                "dejavu-fonts-ttf:ttf/DejaVuSerif-Bold.ttf",
                ["DejaVu Serif Bold", "DejaVuSerif-Bold"],
            ),
        },
    ),
)
LICENCES = {
    WEB / "figtree.licence.txt": "@expo-google-fonts/figtree:LICENSE_FONT",
    WEB / "literata.licence.txt": "@expo-google-fonts/literata:LICENSE_FONT",
    TESTS / "narrow.licence.txt": "@expo-google-fonts/barlow-condensed:LICENSE_FONT",
    TESTS / "wide.licence.txt": "dejavu-fonts-ttf:LICENSE",
}
TEST_FONTS = {
    "narrow-400": "@expo-google-fonts/barlow-condensed:400Regular/BarlowCondensed_400Regular.ttf",
    "narrow-600": "@expo-google-fonts/barlow-condensed:600SemiBold/BarlowCondensed_600SemiBold.ttf",
    "wide-400": "dejavu-fonts-ttf:ttf/DejaVuSans.ttf",
    "wide-600": "dejavu-fonts-ttf:ttf/DejaVuSans-Bold.ttf",
}


def fetch(directory: Path) -> None:
    """Download and unpack every package into a folder of its name.

    Raises
    ------
    SystemExit
        An archive does not have the pinned hash.
    """
    for package, expected in PACKAGES.items():
        command = ["npm", "pack", "--silent", "--pack-destination", str(directory), package]
        name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        archive = directory / name
        found = b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if found != expected:
            sys.exit(f"{package}: the archive's SHA-512 is {found}, not the pinned one.")
        with tarfile.open(archive) as packed:
            packed.extractall(directory / package.rpartition("@")[0], filter="data")


def find(directory: Path, source: str) -> Path:
    """Return the path of `package:file`."""
    package, _, file = source.partition(":")
    return directory / package / "package" / file


def make_subset(source: Path) -> bytes:
    """Return the Latin part of a font as WOFF2."""
    options = subset.Options(layout_features=FEATURES, hinting=False, flavor="woff2", notdef_outline=True)
    font = subset.load_font(str(source), options)
    font.recalcTimestamp = False
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=subset.parse_unicodes(LATIN.replace("U+", "").replace(" ", "")))
    subsetter.subset(font)
    with tempfile.NamedTemporaryFile(suffix=".woff2") as target:
        subset.save_font(font, target.name, options)
        return Path(target.name).read_bytes()


def average_width(path: Path) -> float:
    """Return the average width of a letter in em."""
    font = TTFont(path)
    glyphs, widths = font.getBestCmap(), font["hmtx"]
    total = sum(widths[glyphs[ord(letter)]][0] for letter in SAMPLE)
    return float(total) / font["head"].unitsPerEm / len(SAMPLE)


def font_face(family: str, weight: int, source: str, size: float = 1) -> str:
    """Return the rule of one font; `size` scales a fallback font to the width of ours."""
    display = "; font-display: swap" if "url(" in source else f"; size-adjust: {size:.1%}"
    return (
        f'@font-face {{ font-family: "{family}"; font-weight: {weight}; src: {source}{display}; '
        f"ascent-override: {ASCENT / size:.1%}; descent-override: {DESCENT / size:.1%}; "
        "line-gap-override: 0%; }\n"
    )


def make_face(directory: Path, face: Face) -> str:
    """Write a face's font, and return its rules."""
    source = find(directory, face.source)
    content = make_subset(source)
    stem = f"{face.family.lower()}-{face.weight}"
    name = f"{stem}.{hashlib.sha256(content).hexdigest()[:8]}.woff2"
    for old in WEB.glob(f"{stem}.*.woff2"):
        old.unlink()
    (WEB / name).write_bytes(content)
    for page in WEB.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        page.write_text(re.sub(rf"{stem}\.\w+\.woff2", name, text), encoding="utf-8")
    rules = font_face(face.family, face.weight, f'url("/{name}") format("woff2")')
    for system, (like, names) in face.system.items():
        size = average_width(source) / average_width(find(directory, like))
        local = ", ".join(f'local("{name}")' for name in names)
        rules += font_face(f"{face.family} by {system}", face.weight, local, size)
    return rules


def main() -> None:
    """Write all files."""
    TESTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        fetch(directory)
        head = "/* Written by scripts/fonts.py. What the system has is scaled to be as wide as ours. */\n"
        rules = "".join(make_face(directory, face) for face in FACES)
        (WEB / "fonts.css").write_text(head + rules, encoding="utf-8")
        for name, source in TEST_FONTS.items():
            (TESTS / f"{name}.woff2").write_bytes(make_subset(find(directory, source)))
        for target, source in LICENCES.items():
            target.write_text(find(directory, source).read_text(encoding="utf-8"), encoding="utf-8")


if __name__ == "__main__":
    main()
