"""`cafe dlq`: the dead-letter queues."""

from cli.commands.dlq import edit, files, letters
from cli.options import command_group

app = command_group("dlq", "cafe dlq list", "cafe dlq edit 8f14e45f", "cafe dlq redrive --rate 50")
for commands in (letters, edit, files):
    app.add_typer(commands.app)
