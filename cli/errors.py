"""Errors that end a command with a message and an exit code."""


class CafeError(Exception):
    """One or more sentences: what is wrong, and what to type next; control characters are escaped."""

    exit_code = 1

    def __init__(self, sentence: str, *, exit_code: int | None = None) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code or self.exit_code


class OperationError(CafeError):
    """The operation failed or was refused."""


class SetUpError(CafeError):
    """Wrong usage, or something that the command needs is missing."""

    exit_code = 2
