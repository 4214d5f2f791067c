"""Benchmarks: counts, and ratios within one run; absolute times depend on the machine."""
