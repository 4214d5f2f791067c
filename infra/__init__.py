"""Pulumi component resources: what is deployed."""

import sys
from pathlib import Path

# The functions' own rule checks the menu's items, and Pulumi puts only the project's directory on the path.
sys.path.append(str(Path(__file__).parent.parent / "functions"))
