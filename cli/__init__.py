"""The command `cafe`."""

import os

# Typer reads it when it is imported, and ends with an error of Python if it is not a number.
if not os.environ.get("TERMINAL_WIDTH", "").isdecimal():
    os.environ.pop("TERMINAL_WIDTH", None)
