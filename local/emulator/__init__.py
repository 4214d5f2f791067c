"""MiniStack in place of AWS, behind a gateway."""
