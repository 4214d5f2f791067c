"""`cafe worker`: pause and resume the worker."""

from cli.options import Target, command_group, stack_command
from cli.worker import DISABLED, ENABLED, switch

app = command_group("worker", "cafe worker pause", "cafe worker resume")


@stack_command(app, "pause", "cafe worker pause", "cafe worker pause --stack prod")
def pause_command(target: Target) -> None:
    """Take no more orders from the queue; they wait there, for up to fourteen days, and none is lost.

    Orders that the worker has already are still recorded.
    """
    _switch(target, DISABLED, "The worker is paused; orders wait in the queue.")


@stack_command(app, "resume", "cafe worker resume", "cafe worker resume --stack prod")
def resume_command(target: Target) -> None:
    """Take orders from the queue again."""
    _switch(target, ENABLED, "The worker takes orders.")


def _switch(target: Target, state: str, sentence: str) -> None:
    switch(target.clients.functions, target.output("worker_mapping"), state)
    target.print_result({"stack": target.name, "state": state}, sentence)
