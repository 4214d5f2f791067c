"""The path of one order through the system."""
