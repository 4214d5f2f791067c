"""Erasing personal data: in both stores, in dead letters, and what backups keep."""
