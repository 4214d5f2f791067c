"""The files of the page, by the paths under which a browser asks for them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pulumi

WEB = Path(__file__).parent.parent / "web"
INDEX = "order-status"  # what is served at `/`, too
KITCHEN = "kitchen"  # staff's page
GUARDED = frozenset({INDEX, KITCHEN})  # pages for the named networks alone, where networks are limited
SETTINGS = "config.js"  # made at the deploy
CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
# A browser asks for a file again each time, and gets 304 while nothing changed: a deploy shows at once.
# A font's name contains a hash of its content, so it never changes.
REVALIDATE = "no-cache"
IMMUTABLE = "public, max-age=31536000, immutable"
# What the pages may load and ask: nothing but their own origin.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def asking(origin: str) -> str:
    """Write the policy of a page that may ask one more origin, such as the sign-in's."""
    return CONTENT_SECURITY_POLICY.replace("connect-src 'self'", f"connect-src 'self' {origin}")


def cache_control(suffix: str) -> str:
    """Return how long browsers and CloudFront keep a file."""
    return IMMUTABLE if suffix == ".woff2" else REVALIDATE


def files(directory: Path = WEB) -> dict[str, Path]:
    """Find the files by their keys: a page is at its name (`order-status`), the rest at theirs with suffix.

    Raises
    ------
    pulumi.RunError
        If a file is of an unknown type, which browsers would download instead of using it.
    """
    found = {}
    for path in sorted(directory.iterdir()):
        if path.suffix not in CONTENT_TYPES:
            known = ", ".join(CONTENT_TYPES)
            raise pulumi.RunError(
                f"web/{path.name}: its type is not known; a file of the page ends in {known}"
            )
        found[path.stem if path.suffix == ".html" else path.name] = path
    return found


def version() -> str:
    """Name what the files say now, so that a page that was opened before learns that they changed."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in files().values())).hexdigest()[:12]
