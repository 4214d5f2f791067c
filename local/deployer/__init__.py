"""Creates what the program declares: one small function per resource type, nothing unknown accepted."""

# Importing the handlers registers them.
from local.deployer import access, api, buckets, functions, messaging, network, page, storage, watching
from local.deployer.cloud import Cloud
from local.deployer.mocks import Deployer, DeployError

__all__ = [
    "Cloud",
    "DeployError",
    "Deployer",
    "access",
    "api",
    "buckets",
    "functions",
    "messaging",
    "network",
    "page",
    "storage",
    "watching",
]
