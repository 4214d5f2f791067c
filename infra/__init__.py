"""The stack's Pulumi components, and the tools that read its program."""

import sys
from pathlib import Path

# The settings' parsers import `orders`, and Pulumi puts only the project's directory on the path.
sys.path.append(str(Path(__file__).parent.parent / "functions"))
