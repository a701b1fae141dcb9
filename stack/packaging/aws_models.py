"""Writes reduced botocore models into an archive: only the services that Switchboard uses, without documentation.

Making a client takes long because botocore reads the whole model of the service with its documentation, the regions of all AWS
services, and the list of about 400 service folders. lib/platform/aws.py makes it read this folder first (docs/adr/0010).
"""

import json
from pathlib import Path
from typing import Any

from botocore.loaders import Loader

FOLDER = "lib/platform/aws_models"
"""Where lib/platform/aws.py finds the models, relative to the root of the archive."""

SERVICES = ("dynamodb", "events", "lambda", "s3", "secretsmanager", "sns", "sqs")

_MODELS = {"s3": ("service-2", "endpoint-rule-set-1")}
_MODEL = ("service-2",)
"""The endpoints of the other services come from ``endpoints.json`` alone (lib/platform/aws.py)."""


def write(archive: Path) -> None:
    """Write the models of the installed botocore into the folder of an archive."""
    folder = archive / FOLDER
    loader = Loader()
    for service in SERVICES:
        for model in _MODELS.get(service, _MODEL):
            version = loader.determine_latest_version(service, model)
            name = f"{service}/{version}/{model}"
            _write(folder / f"{name}.json", without_documentation(loader.load_data(name)))
    regions = loader.load_data("endpoints")
    for partition in regions["partitions"]:
        partition["services"] = {name: of for name, of in partition["services"].items() if name in SERVICES}
    _write(folder / "endpoints.json", regions)


def without_documentation(model: Any) -> Any:
    """``model`` with empty documentation. The keys stay, since botocore reads some of them. A member of an API that is named
    "documentation" is not text and stays."""
    if isinstance(model, dict):
        return {
            name: "" if name == "documentation" and isinstance(value, str) else without_documentation(value)
            for name, value in model.items()
        }
    if isinstance(model, list):
        return [without_documentation(value) for value in model]
    return model


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, separators=(",", ":")), encoding="utf-8")
