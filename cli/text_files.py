"""Text files with the line ends and byte order marks of any editor."""

import codecs
import re
from pathlib import Path

from cli.errors import SetUpError


def lines(path: Path) -> list[bytes]:
    """Read a file's lines, without line ends (LF, CRLF or CR) and byte order marks."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SetUpError(f"{path} cannot be read ({error.strerror}).") from error
    # UTF-16 and UTF-32: without a byte order mark, a NUL is among the first bytes of ASCII characters.
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content[:4]:
        raise _not_utf_8(path)
    # Concatenated files have marks in between.
    return [line.removeprefix(codecs.BOM_UTF8) for line in re.split(rb"\r\n|\r|\n", content)]


def read(path: Path) -> str:
    r"""Read a file's text, with `\n` between its lines; raise SetUpError unless it is UTF-8."""
    try:
        return b"\n".join(lines(path)).decode()
    except ValueError:
        raise _not_utf_8(path) from None


def _not_utf_8(path: Path) -> SetUpError:
    return SetUpError(f"{path} is not UTF-8 text: save it as UTF-8, and try again.")
