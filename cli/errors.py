"""Errors that end a command with a message and an exit code."""


class CafeError(Exception):
    """One or more sentences: what is wrong, and what to type next.

    Parameters
    ----------
    sentence
        Printed on standard error, with control characters escaped.
    exit_code
        1: the operation failed or was refused. 2: wrong usage, or something that the command needs is
        missing. 130: Ctrl-C.
    """

    def __init__(self, sentence: str, *, exit_code: int) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


class SetUpError(CafeError):
    """Something that the command needs is missing; exit code 2."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, exit_code=2)


class OperationError(CafeError):
    """The operation failed or was refused; exit code 1."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, exit_code=1)
