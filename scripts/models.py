"""Write functions/models/: botocore's service models, reduced to what the functions use.

Most of the time to create a client is parsing the model of its service and the endpoints of all services.
The reduced models hold the operations that functions/ names and their shapes, without documentation.
`make lock` runs this; a test fails if the installed botocore would give other files.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from botocore import xform_name
from botocore.loaders import Loader

FUNCTIONS = Path(__file__).parents[1] / "functions"
MODELS = FUNCTIONS / "models"
SERVICES = ("dynamodb", "s3", "secretsmanager", "sns", "sqs")
TYPE = "service-2"


def contents() -> dict[str, str]:
    """Return the content of each file, by its path in the directory."""
    loader, sources = Loader(), "".join(path.read_text("utf-8") for path in FUNCTIONS.rglob("*.py"))
    files = {"endpoints.json": _endpoints(loader.load_data("endpoints"))}
    for service in SERVICES:
        version = loader.determine_latest_version(service, TYPE)
        model = loader.load_service_model(service, TYPE, version)
        files[f"{service}/{version}/{TYPE}.json"] = _model(model, sources)
    return {path: f"{json.dumps(content, separators=(',', ':'))}\n" for path, content in files.items()}


def _endpoints(endpoints: dict[str, Any]) -> dict[str, Any]:
    """Return the endpoints of the used services in all regions."""
    partitions = [
        {**partition, "services": {name: partition["services"].get(name, {}) for name in SERVICES}}
        for partition in endpoints["partitions"]
    ]
    return {**endpoints, "partitions": partitions}


def _model(model: dict[str, Any], sources: str) -> dict[str, Any]:
    operations = {
        name: _without_documentation(operation)
        for name, operation in model["operations"].items()
        if re.search(rf"\b{xform_name(name)}\b", sources)
    }
    used: dict[str, Any] = {}
    waiting = [operations]
    while waiting:
        for name in _shapes(waiting.pop()) - used.keys():
            used[name] = _without_documentation(model["shapes"][name])
            waiting.append(used[name])
    return {
        "version": model["version"],
        "metadata": model["metadata"],
        "operations": operations,
        "shapes": dict(sorted(used.items())),
    }


def _shapes(value: Any) -> set[str]:
    """Return the names of the shapes that a part of a model refers to."""
    if isinstance(value, list):
        return set().union(*map(_shapes, value))
    if not isinstance(value, dict):
        return set()
    named = {value["shape"]} if isinstance(value.get("shape"), str) else set()
    return named.union(*map(_shapes, value.values()))


def _without_documentation(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_documentation(each) for each in value]
    if not isinstance(value, dict):
        return value
    # A member named `documentation` is an object, not a string.
    return {
        name: _without_documentation(each)
        for name, each in value.items()
        if not (name == "documentation" and isinstance(each, str))
    }


if __name__ == "__main__":
    for path, text in contents().items():
        (MODELS / path).parent.mkdir(parents=True, exist_ok=True)
        (MODELS / path).write_text(text, encoding="utf-8")
