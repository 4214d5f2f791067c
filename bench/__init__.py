"""Measurements: counts, and ratios within one run; absolute times say little about another machine."""
