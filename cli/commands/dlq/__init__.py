"""`cafe dlq`: the dead-letter queues."""

import typer

from cli.commands.dlq import edit, files, purge, redrive, show
from cli.options import SentenceGroup, examples

app = typer.Typer(
    cls=SentenceGroup,
    no_args_is_help=True,
    help="List, correct, redrive, delete and export the messages in the dead-letter queues.",
    epilog=examples("cafe dlq list", "cafe dlq edit 8f14e45f", "cafe dlq redrive --rate 50"),
)
for commands in (show, redrive, edit, purge, files):
    app.add_typer(commands.app)
