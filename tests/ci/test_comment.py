"""The comment on a pull request with the previews of the stacks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.ci import comment
from tests.ci.previews import CHANGED, UNCHANGED


def size(text: str) -> int:
    return len(text.encode())


def blocks(body: str) -> list[str]:
    """Return the code blocks by the rules of CommonMark: a fence ends at a line of at least its length."""
    found: list[str] = []
    fence = ""
    for line in body.splitlines():
        marks = len(line) - len(line.lstrip("`"))
        if not fence and marks >= 3:
            fence = line[:marks]
            found.append("")
        elif fence and marks >= len(fence) and not line.lstrip("`").strip():
            fence = ""
        elif fence:
            found[-1] += line + "\n"
    assert not fence
    return found


def test_both_stacks_are_in_one_comment_with_their_totals() -> None:
    body = comment.comment({"dev": CHANGED, "prod": UNCHANGED}, {})

    assert "<b>dev</b>: 1 to create, 7 to update, 1 to delete, 216 unchanged<br>" in body
    assert "<b>prod</b>: 224 unchanged<br>" in body
    assert len(blocks(body)) == 2


def test_a_changed_line_starts_with_its_sign_for_colours() -> None:
    dev, _ = blocks(comment.comment({"dev": CHANGED, "prod": UNCHANGED}, {}))

    assert '!       instanceClass: "db.t4g.micro" => "db.t4g.small"' in dev
    assert "+     random:index/randomPassword:RandomPassword: (create)" in dev
    assert "-     random:index/randomPassword:RandomPassword: (delete)" in dev


def test_missing_and_failed_previews_are_reported() -> None:
    body = comment.comment({"dev": None, "prod": "error: the stack is locked\n"}, {})

    assert "<b>dev</b>: no preview" in body
    assert "<b>prod</b>: the preview failed" in body
    assert "error: the stack is locked" in body


def test_each_stack_has_the_difference_of_its_monthly_cost() -> None:
    changed = "Monthly cost: 61.20 → 63.70 dollars (+2.50), at 500 orders a day and 1 open page: RDS +2.50"
    costs = comment.costs(f"dev: 0 added\nMonthly cost: not known\n\nprod: 1 added\n{changed}\n+ aws:x y\n")

    body = comment.comment({"dev": CHANGED, "prod": UNCHANGED}, costs)

    assert "216 unchanged<br>Monthly cost: not known</summary>" in body
    assert f"224 unchanged<br>{changed}</summary>" in body


@pytest.mark.parametrize("line", ["1 <img src=x>", "1 @everyone", "`1`", "[1](x)", "1" * 500])
def test_a_cost_with_markup_is_not_posted(line: str) -> None:
    costs = comment.costs(f"dev: 0 added\nMonthly cost: {line}\n")

    body = comment.comment({"dev": UNCHANGED}, costs)

    assert "224 unchanged<br>Monthly cost: not known</summary>" in body


def test_a_long_preview_is_cut_in_the_middle_and_a_short_one_is_not() -> None:
    head, _, totals = CHANGED.rpartition("Resources:\n")
    body = comment.comment({"dev": head * 20 + "Resources:\n" + totals, "prod": UNCHANGED}, {})

    dev, prod = blocks(body)
    assert comment.MAX_COMMENT - 2_000 < size(body) <= comment.MAX_COMMENT
    assert dev.startswith("Previewing update (dev):")
    assert "lines left out; the artifacts of the run have them …" in dev
    assert "9 changes. 216 unchanged" in dev
    assert "224 unchanged" in prod


@given(
    st.dictionaries(
        st.sampled_from(comment.STACKS), st.text(st.sampled_from("a`é<\n ~+-")), min_size=1, max_size=2
    )
)
def test_no_preview_closes_its_block_or_exceeds_the_limit(previews: dict[str, str]) -> None:
    body = comment.comment(previews, {}, limit=500)

    assert size(body) <= 500
    assert len(blocks(body)) == sum(bool(text) for text in previews.values())


def test_a_fence_and_html_in_a_preview_stay_in_its_block() -> None:
    attack = "````\n</details><img src=https://example.org>\n@everyone\n`````diff\n"

    (block,) = blocks(comment.comment({"dev": attack}, {}))

    assert all(line in block for line in attack.splitlines())


def test_text_that_looks_like_a_secret_is_masked() -> None:
    secrets = {
        "key": "AKIAIOSFODNN7EXAMPLE",
        "token": "ghs_0123456789abcdefghij0123456789abcdef",
        "ciphertext": "v1:c2VjcmV0c2VjcmV0:c2VjcmV0c2VjcmV0c2VjcmV0",
        "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "url": "mysql://cafe:hunter2@db",
        "pem": "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\n-----END PRIVATE KEY-----",
        "password": "correct horse",
    }
    lines = "".join(f'      + {name}: "{secret}"\n' for name, secret in secrets.items())

    (block,) = blocks(comment.comment({"dev": CHANGED + lines}, {}))

    assert "secretString: [secret]" in block
    for secret in [*secrets.values(), "hunter2", "MIIEvQIBADAN"]:
        assert secret not in block
    assert comment.masked(CHANGED) == CHANGED


def test_terminal_control_sequences_are_removed() -> None:
    assert comment.masked("\x1b[31mred\x1b[0m\x07\n") == "red\n"


class Gh:
    """A fake GitHub CLI that returns the ids of comments with the mark."""

    def __init__(self, known: str) -> None:
        self.known = known
        self.calls: list[tuple[list[str], str]] = []

    def __call__(self, arguments: Sequence[str], text: str) -> str:
        self.calls.append((list(arguments), text))
        return self.known if "--jq" in arguments else ""


def test_the_first_run_adds_a_comment_and_the_next_ones_update_it() -> None:
    first, second = Gh(""), Gh("17\n")

    for gh in (first, second):
        comment.post("body", "ada/cafe", "7", gh)

    assert first.calls[1] == (
        ["api", "repos/ada/cafe/issues/7/comments", "--input", "-", "--silent"],
        json.dumps({"body": "body"}),
    )
    assert second.calls[1][0][:4] == ["api", "-X", "PATCH", "repos/ada/cafe/issues/comments/17"]
    assert comment.MARK in first.calls[0][0][-1]


def test_only_pull_requests_get_a_comment() -> None:
    assert comment.pull_request("refs/pull/12/merge") == "12"
    with pytest.raises(ValueError, match="is not a pull request"):
        comment.pull_request("refs/heads/main")


def test_a_diff_is_printed_as_a_block(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "difference.txt").write_text("dev: 0 added\n```\n")

    assert comment.main([str(tmp_path / "difference.txt")]) == 0

    assert blocks(capsys.readouterr().out) == ["dev: 0 added\n```\n"]
