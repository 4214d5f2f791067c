"""What ends a command early: a sentence for the user and an exit code."""


class CafeError(Exception):
    """One or more sentences that say what is wrong and what to type next.

    Parameters
    ----------
    sentence
        Shown on standard error as it is, after control characters are made visible.
    exit_code
        1: the system says no. 2: the command was used wrongly, or something it needs is not there.
        130: Ctrl-C.
    """

    def __init__(self, sentence: str, *, exit_code: int) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


class SetUpError(CafeError):
    """Something that the command needs is missing, and the sentence says how to get it; exit code 2."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, exit_code=2)


class AnswerError(CafeError):
    """The stack was asked and did not do it; exit code 1."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, exit_code=1)
