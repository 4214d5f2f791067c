"""Pulumi component resources: what is deployed."""
