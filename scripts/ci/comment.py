#!/usr/bin/env python3
"""Post previews to a pull request, in one comment that each run updates.

scripts/ci/comment.py            post preview-STACK.txt of this directory, and the costs in difference.txt
scripts/ci/comment.py FILE       print a file as a code block

All files are untrusted, because they contain text of the pull request. A preview is posted as a code block
that it cannot close, and text that looks like a secret is masked. Of the cost, only a line without markup is
posted. The job may write to the pull request, so this uses only Python's standard library.
"""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

STACKS = ("dev", "prod")
# Identifies the comment in later runs
MARK = "<!-- preview of the stacks -->"
MAX_COMMENT = 65_536  # GitHub's limit in characters; counted in bytes here, which are never fewer
MASK = "[masked]"
SECRET = re.compile(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"  # AWS access keys
    r"|\bgh[a-z]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bpul-[0-9a-f]{40}\b"  # tokens of GitHub and Pulumi
    r"|\bv1:[A-Za-z0-9+/]{8,}={0,2}:[A-Za-z0-9+/]{8,}={0,2}"  # Pulumi's ciphertexts
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"  # JSON Web Tokens
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"""|(?<=["' ])(?:[a-z]+://[^\s:/@]+:)[^\s@/]+(?=@)"""  # passwords in URLs
)
NAMED_SECRET = re.compile(r"""((?i:password|secretstring|secret_?key|token)"?\s*: )"[^"\n]+\"""")
TERMINAL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
CHANGE = re.compile(r"^( +)(\+-|-\+|\+\+|--|[+~-])(?= )", re.MULTILINE)
# As `make diff` prints it after the line of its stack
COST = re.compile(r"^(\w+): .*\n(Monthly cost: [A-Za-z0-9_ .,:;+→()-]{1,400})$", re.MULTILINE)
NO_COST = "Monthly cost: not known"
TOTAL = re.compile(r"^[ !+~-]+(?:\d+ changes?\. )?(\d+ (?:to [a-z-]+|unchanged))$", re.MULTILINE)

Gh = Callable[[Sequence[str], str], str]
"""Runs the GitHub CLI with arguments and standard input, and returns its output."""


def main(arguments: Sequence[str]) -> int:
    """Post the previews or print a file; return the exit code."""
    if arguments:
        print(code_block(masked(Path(arguments[0]).read_text("utf-8"))))
        return 0
    previews = {stack: _read(Path(f"preview-{stack}.txt")) for stack in STACKS}
    body = comment(previews, costs(_read(Path("difference.txt")) or ""))
    post(body, os.environ["GITHUB_REPOSITORY"], pull_request(os.environ["GITHUB_REF"]), _gh)
    return 0


def costs(difference: str) -> dict[str, str]:
    """Return the line with the monthly cost, by stack, from the output of `make diff`."""
    return dict(COST.findall(difference))


def comment(
    previews: Mapping[str, str | None], known_costs: Mapping[str, str], limit: int = MAX_COMMENT
) -> str:
    """Return the comment: the cost and a folded diff per stack, the diffs cut to the limit together.

    Parameters
    ----------
    previews
        The output of `pulumi preview --diff`, by stack; None if it is missing.
    known_costs
        The line with the monthly cost, by stack.
    limit
        Maximum length in bytes.
    """
    texts = {stack: diff(masked(text)) if text else "" for stack, text in previews.items()}
    room = limit - _length(_assembled(dict.fromkeys(texts, ""), texts, known_costs))
    cuts: dict[str, str] = {}
    # The shortest first, so that the others get the rest of its share.
    for stack in sorted(texts, key=lambda stack: _length(texts[stack])):
        cuts[stack] = cut(texts[stack], room // (len(texts) - len(cuts)))
        room -= _length(cuts[stack])
    return _assembled(cuts, texts, known_costs)


def _assembled(cuts: Mapping[str, str], texts: Mapping[str, str], costs: Mapping[str, str]) -> str:
    """Return the comment with the cut texts, each with the fence of its whole text."""
    parts = [MARK, "### What this pull request would change"]
    for stack, text in texts.items():
        parts.append(
            f"<details><summary><b>{html.escape(stack)}</b>: {summary(text)}<br>"
            f"{costs.get(stack, NO_COST)}</summary>"
        )
        parts.append(code_block(cuts[stack], fence(text)) if text else "The log of the run has the reason.")
        parts.append("</details>")
    return "\n\n".join(parts) + "\n"


def summary(text: str) -> str:
    """Return the totals, such as `1 to create, 7 to update, 216 unchanged`."""
    _, resources, totals = text.rpartition("Resources:\n")
    found = TOTAL.findall(totals) if resources else []
    return ", ".join(found) or ("the preview failed" if text else "no preview")


def diff(text: str) -> str:
    """Return a preview as a diff that GitHub colours: signs come first, and `!` marks a change."""
    return CHANGE.sub(lambda match: f"{match[2].replace('~', '!')}{match[1]}", text)


def masked(text: str) -> str:
    """Return a text without control characters, and with everything masked that looks like a secret."""
    return NAMED_SECRET.sub(rf'\1"{MASK}"', SECRET.sub(MASK, TERMINAL.sub("", text)))


def fence(text: str) -> str:
    """Return a fence that no line of the text can close."""
    return "`" * (1 + max([2, *(len(run) for run in re.findall("`+", text))]))


def code_block(text: str, marks: str | None = None) -> str:
    """Return a text as a Markdown code block, with the fence `marks` or its own."""
    marks = marks or fence(text)
    return f"{marks}diff\n{text.rstrip()}\n{marks}"


def cut(text: str, limit: int) -> str:
    """Return the first and last lines of a text, of at most `limit` bytes."""
    if _length(text) <= limit:
        return text
    lines = text.splitlines()
    gap = "… {} lines left out; the artifacts of the run have them …"
    room = limit - _length(gap.format(len(lines))) - 2
    end: list[str] = []
    while lines and len(end) < 10 and (size := _length(lines[-1]) + 1) <= room // 2:
        room -= size
        end.insert(0, lines.pop())
    start: list[str] = []
    for line in lines:
        room -= _length(line) + 1
        if room < 0:
            break
        start.append(line)
    return "\n".join([*start, gap.format(len(lines) - len(start)), *end])


def _length(text: str) -> int:
    return len(text.encode())


def pull_request(ref: str) -> str:
    """Return the number of the pull request that `refs/pull/NUMBER/merge` names.

    Raises
    ------
    ValueError
        It is not a pull request.
    """
    found = re.fullmatch(r"refs/pull/([0-9]+)/merge", ref)
    if not found:
        raise ValueError(f"GITHUB_REF: {ref!r} is not a pull request; run this for pull requests only")
    return found[1]


def post(body: str, repository: str, number: str, gh: Gh) -> None:
    """Update the comment of an earlier run, or add one."""
    query = f'.[] | select(.user.type == "Bot" and (.body | startswith("{MARK}"))) | .id'
    comments = f"repos/{repository}/issues/{number}/comments"
    known = gh(["api", "--paginate", comments, "--jq", query], "").split()
    target = ["-X", "PATCH", f"repos/{repository}/issues/comments/{known[0]}"] if known else [comments]
    gh(["api", *target, "--input", "-", "--silent"], json.dumps({"body": body}))


def _gh(arguments: Sequence[str], text: str) -> str:
    return subprocess.run(
        ["gh", *arguments], input=text, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def _read(path: Path) -> str | None:
    return path.read_text("utf-8", errors="replace") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
