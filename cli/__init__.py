"""The command `cafe`."""
