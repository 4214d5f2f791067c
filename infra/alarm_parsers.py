"""Parsers of the settings of alarms, as in `setting_parsers.py`."""

from __future__ import annotations

import re

from infra.setting_parsers import entries, unique

# An alarm has at most five actions, one of which is the stack's own topic, and cannot notify FIFO topics.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
MAX_TOPICS = 4
_TOPIC = re.compile(r"arn:aws:sns:[a-z]{2}(-[a-z]+)+-[0-9]:[0-9]{12}:[A-Za-z0-9_-]{1,256}")
MAX_URL = 300  # of the 1,024 characters of an alarm's description
_URL = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?/[A-Za-z0-9._~:/?@!$&'()*+,;=%-]*")


def topics(text: str) -> list[str]:
    """Validate ARNs of SNS topics."""
    return unique(entries(text, _topic, MAX_TOPICS, '["arn:aws:sns:us-east-1:123456789012:pager"]'))


def _topic(entry: object) -> str:
    if not isinstance(entry, str) or not _TOPIC.fullmatch(entry):
        raise ValueError(
            "must be the ARN of a standard SNS topic, such as arn:aws:sns:us-east-1:123456789012:pager"
        )
    return entry


def page_url(url: str) -> str:
    """Validate the URL of a page, to which an anchor can be added; it may be empty."""
    if url and (len(url) > MAX_URL or not _URL.fullmatch(url)):
        raise ValueError(
            f"must be an https URL of at most {MAX_URL} characters without an anchor, such as"
            " https://git.example.com/cafe/docs/runbook.md, or empty"
        )
    return url
