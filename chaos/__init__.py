"""`make chaos`: break the local stack on purpose while orders arrive, and audit both stores.

It imports `cli` and `local`, and neither imports it.
"""
