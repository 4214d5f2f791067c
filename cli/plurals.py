"""Numbers with nouns and verbs: `1 order`, `1,000 orders`."""

from functools import partial


def counted(count: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless the number is one."""
    return f"{count:,} {noun if count == 1 else noun + 's'}"


orders = partial(counted, noun="order")
messages = partial(counted, noun="message")


def were(count: int) -> str:
    """Return the verb for a number."""
    return "was" if count == 1 else "were"


def are(count: int) -> str:
    """Return the verb for a number, in the present."""
    return "is" if count == 1 else "are"
