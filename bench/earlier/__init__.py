"""The earlier system's two functions, rewritten for comparison."""
