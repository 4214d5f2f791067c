"""`cafe dlq`: the dead-letter queues."""

from cli.commands.dlq import edit, files, purge, redrive, show
from cli.options import command_group

app = command_group("dlq", "cafe dlq list", "cafe dlq edit 8f14e45f", "cafe dlq redrive --rate 50")
for commands in (show, redrive, edit, purge, files):
    app.add_typer(commands.app)
