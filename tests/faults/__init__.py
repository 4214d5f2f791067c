"""The worker's real code under every fault that we can produce; what holds then is called exactly once."""
