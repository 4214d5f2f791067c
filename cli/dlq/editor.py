"""The user's own editor, on a text."""

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from cli.errors import AnswerError, SetUpError

USUAL = ("sensible-editor", "nano", "vi")


def edit(text: str, suffix: str = ".json") -> str:
    """Let the user change a text in `$VISUAL` or `$EDITOR`, in a file that only its owner may read.

    Raises
    ------
    SetUpError
        There is no editor.
    AnswerError
        The editor failed, or left what is no text.
    """
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or next(filter(shutil.which, USUAL), "")
    words = shlex.split(command)
    if not words or shutil.which(words[0]) is None:
        raise SetUpError(
            f"The editor {words[0]} is not there: set EDITOR." if words else "There is no editor: set EDITOR."
        )
    with tempfile.TemporaryDirectory(prefix="cafe-") as directory:
        path = Path(directory) / f"order{suffix}"
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
        run = subprocess.run([*words, str(path)], check=False)
        if run.returncode != 0:
            raise AnswerError(f"{words[0]} ended with {run.returncode}: nothing was done.")
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise AnswerError(f"What {words[0]} left is no text: nothing was done.") from error
