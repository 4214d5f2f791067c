"""Erasing personal data: in both stores, in dead letters, and what backups keep."""

from enum import StrEnum


class Kind(StrEnum):
    """Kinds of subjects, whose data can be erased."""

    CUSTOMER = "customer"
    ORDER = "order"
    STAFF = "staff"
