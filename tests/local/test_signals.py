"""Signals that end a run."""

import signal

from local import signals

ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def test_each_signal_that_ends_a_run_is_handled_within_the_statement_only() -> None:
    before = [signal.getsignal(number) for number in ENDING]
    received: list[int] = []
    with signals.handled(received.append):
        for number in ENDING:
            signal.raise_signal(number)
    assert received == ENDING
    assert [signal.getsignal(number) for number in ENDING] == before
