"""Sending orders to the entrances of a stack, and auditing both stores afterwards."""
