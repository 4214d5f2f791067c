"""Creates what the program declares: one small function per resource type; unknown types are refused."""

from local.deployer import access, api, buckets, functions, messaging, monitoring, network, page, storage
from local.deployer.cloud import Cloud
from local.deployer.deployer import Deployer, DeployError

# Importing a module registers its resource types.
HANDLERS = (access, api, buckets, functions, messaging, monitoring, network, page, storage)

__all__ = ["HANDLERS", "Cloud", "DeployError", "Deployer"]
