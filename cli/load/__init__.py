"""Placing many orders and following them: `cafe load`."""
