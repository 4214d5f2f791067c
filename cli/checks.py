"""The result of a check of a stack."""

from dataclasses import asdict, dataclass

from cli.terminal import plain


@dataclass(frozen=True, kw_only=True)
class Check:
    """A check and its result."""

    name: str  # for programs
    title: str  # for people
    ok: bool
    detail: str  # the finding, or why the check failed
    seconds: float | None = None  # how long it took
    pending: bool = False  # neither passed nor failed yet

    @property
    def line(self) -> str:
        """Return its line in the report."""
        sign = "!" if self.pending else "✓" if self.ok else "✗"
        seconds = "" if self.seconds is None else f"{self.seconds:6.2f} s  "
        return f"{sign} {self.title:<50} {seconds}{plain(self.detail)}"

    @property
    def style(self) -> str | None:
        """Return the colour of its line."""
        return "yellow" if self.pending else None if self.ok else "red"

    def document(self) -> dict[str, object]:
        """Return the check for `--json`, where pending checks are listed separately."""
        document = asdict(self) | ({} if self.seconds is None else {"seconds": round(self.seconds, 3)})
        return {key: value for key, value in document.items() if key != "pending" and value is not None}
