"""MySQL: the source of truth for orders and counts, one module per kind of statement."""
