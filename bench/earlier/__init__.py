"""The earlier system's two functions, written again as the system has them: what ours is compared with."""
