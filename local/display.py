"""Output of a run."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urljoin

from rich.console import Console
from rich.markup import escape

from local.progress import Created, Ready

EXAMPLE_ORDER = '{"item": "Latte", "quantity": 1}'


class Display:
    """Prints lines with the seconds since the start."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._errors = Console(highlight=False, stderr=True)
        self._began = time.monotonic()
        self._resources = 0

    @property
    def seconds(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._began

    def step(self, text: str) -> None:
        """Print a step."""
        self._print(f"[dim]{self.seconds:6.2f} s[/]  {escape(text)}")

    def ready(self, event: Ready) -> None:
        """Print that a service is ready."""
        self.step(f"{event.service} is ready")

    def created(self, event: Created) -> None:
        """Print that a resource was created, and how long it took."""
        self._resources += 1
        package, _, rest = event.type.partition(":")
        module, _, kind = rest.partition(":")
        service = package if module == "index" or package == "random" else module.partition("/")[0]
        took = f"[dim]({event.seconds:.2f} s)[/]"
        self._print(
            f"[dim]{self.seconds:6.2f} s[/]  [green]+[/] {service} {kind} {escape(event.name)} {took}"
        )

    def finished(
        self,
        outputs: Mapping[str, Any],
        deviations: Sequence[str],
        how_to_stop: str,
        sign_in: Mapping[str, Any] | None = None,
    ) -> None:
        """Print the addresses, the differences from AWS, and how to stop the stack."""
        self._print("\n[bold]Different from AWS:[/]")
        for sentence in deviations:
            self._print(f"  - {escape(sentence)}")
        self._print(
            f"\n[bold green]The cafe is open:[/] {self._resources} resources in {self.seconds:.1f} seconds.\n"
        )
        if "page_url" in outputs:
            self._print(f"  The page:    [bold]{escape(outputs['page_url'])}[/]")
        if sign_in:
            self._print(f"  The kitchen: [bold]{escape(urljoin(outputs['page_url'], '/kitchen'))}[/]")
            self._print(f"  sign in as:  {escape(sign_in['user'])}, password {escape(sign_in['password'])}")
        if "orders_url" in outputs:
            self._print("  An order:    .venv/bin/cafe order Latte")
            # A key is written to `stack.json` only.
            if "orders_api_key" not in outputs:
                self._print(f"  or:          {escape(_curl(outputs['orders_url']))}")
        self._print(f"\n{escape(how_to_stop)}")

    def stopped(self) -> None:
        """Print that the run has ended."""
        self._print("The local stack is stopped; nothing of it is left.")

    def failed(self, sentence: str) -> None:
        """Print an error."""
        self._errors.print(f"[bold red]Error:[/] {escape(sentence)}", soft_wrap=True)

    def _print(self, text: str) -> None:
        # Do not wrap: lines are copied.
        self._console.print(text, soft_wrap=True)


def _curl(url: str) -> str:
    words = ["curl", "-H", "Content-Type: application/json", "-d", EXAMPLE_ORDER, url]
    return shlex.join(words)
