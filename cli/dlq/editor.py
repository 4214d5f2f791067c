"""Edit a text in the user's own editor."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from cli import text_files
from cli.errors import OperationError, SetUpError

DEFAULTS = ("sensible-editor", "nano", "vi")


def edit(text: str) -> str:
    """Open a text in `$VISUAL` or `$EDITOR`, in a file that only its owner may read; return the new text.

    Raises SetUpError without an editor or a terminal, and OperationError if the editor fails.
    """
    words = _command()
    with tempfile.TemporaryDirectory(prefix="cafe-") as directory:
        path = Path(directory) / "order.json"
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
        # Ctrl-C is for the editor, which gets the signal, too; it does not inherit our handler.
        before = signal.signal(signal.SIGINT, lambda _signal, _frame: None)
        try:
            # Standard output may be a file for the JSON document; standard error is the terminal, too.
            screen = None if sys.stdout and sys.stdout.isatty() else sys.__stderr__
            run = subprocess.run([*words, str(path)], stdout=screen, check=False)
        finally:
            signal.signal(signal.SIGINT, before)
        if run.returncode != 0:
            raise OperationError(f"{words[0]} ended with exit code {run.returncode}; nothing was sent.")
        try:
            return text_files.read(path)
        except SetUpError as error:
            raise OperationError(f"{words[0]} did not save UTF-8 text; nothing was sent.") from error


def _command() -> list[str]:
    """Return the words that start the editor."""
    chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not chosen and not (sys.stdin and sys.stdin.isatty()):
        raise SetUpError(
            "No editor can be opened, because standard input is not a terminal: set EDITOR, or use --file."
        )
    try:
        words = shlex.split(chosen or next(filter(shutil.which, DEFAULTS), ""))
    except ValueError:
        raise SetUpError(f"The editor {chosen} cannot be started: set EDITOR.") from None
    if not words:
        raise SetUpError("No editor was found: set EDITOR.")
    if shutil.which(words[0]) is None:
        raise SetUpError(f"The editor {words[0]} was not found: set EDITOR.")
    return words
