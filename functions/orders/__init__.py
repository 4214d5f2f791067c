"""Orders and counters: pure Python, independent of AWS and SQL."""
