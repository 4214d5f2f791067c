"""The worker's real code under every fault that can be simulated: each order is recorded exactly once."""
