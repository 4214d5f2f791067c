"""The user's own editor, on a text."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from cli import text_files
from cli.errors import AnswerError, SetUpError

USUAL = ("sensible-editor", "nano", "vi")


def edit(text: str, suffix: str = ".json") -> str:
    """Let the user change a text in `$VISUAL` or `$EDITOR`, in a file that only its owner may read.

    Raises
    ------
    SetUpError
        There is no editor, or nobody who could use it.
    AnswerError
        The editor failed, or left what is no text.
    """
    words = _command()
    with tempfile.TemporaryDirectory(prefix="cafe-") as directory:
        path = Path(directory) / f"order{suffix}"
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
        # Ctrl-C is a key of the editor's, which gets the signal, too; it inherits no handler of ours.
        before = signal.signal(signal.SIGINT, lambda _signal, _frame: None)
        try:
            # Standard output may be a file for the JSON document; the terminal is behind standard error, too.
            screen = None if sys.stdout and sys.stdout.isatty() else sys.__stderr__
            run = subprocess.run([*words, str(path)], stdout=screen, check=False)
        finally:
            signal.signal(signal.SIGINT, before)
        if run.returncode != 0:
            raise AnswerError(f"{words[0]} ended with {run.returncode}: nothing was done.")
        try:
            return text_files.read(path)
        except SetUpError as error:
            raise AnswerError(f"What {words[0]} left is not UTF-8 text: nothing was done.") from error


def _command() -> list[str]:
    """Return the words that start the editor."""
    chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not chosen and not (sys.stdin and sys.stdin.isatty()):
        raise SetUpError(
            "No editor can be opened here, because this is no terminal: set EDITOR, or use --file."
        )
    try:
        words = shlex.split(chosen or next(filter(shutil.which, USUAL), ""))
    except ValueError:
        raise SetUpError(f"The editor {chosen} cannot be started: set EDITOR.") from None
    if not words or shutil.which(words[0]) is None:
        raise SetUpError(
            f"The editor {words[0]} is not there: set EDITOR." if words else "There is no editor: set EDITOR."
        )
    return words
