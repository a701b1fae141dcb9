"""What botocore must read to make a client, for the services that Switchboard uses and without its documentation.

botocore reads a service's whole model with the manual in it, the regions of all of AWS's services, and lists the folders of
all of them, 400 or so; most of the time that making a client takes. lib/platform/aws.py looks into this folder first and finds
all else where botocore keeps it (docs/adr/0010).
"""

import json
from pathlib import Path
from typing import Any

from botocore.loaders import Loader

FOLDER = "lib/platform/aws_models"
"""Where lib/platform/aws.py looks, seen from the archive's root."""

SERVICES = ("dynamodb", "lambda", "s3", "secretsmanager", "sns", "sqs")

_MODELS = ("service-2", "endpoint-rule-set-1")


def write(archive: Path) -> None:
    """Write the models, those of the botocore that is installed here, into the folder of an archive."""
    folder = archive / FOLDER
    loader = Loader()
    for service in SERVICES:
        for model in _MODELS:
            version = loader.determine_latest_version(service, model)
            name = f"{service}/{version}/{model}"
            _write(folder / f"{name}.json", without_documentation(loader.load_data(name)))
    regions = loader.load_data("endpoints")
    for partition in regions["partitions"]:
        partition["services"] = {name: of for name, of in partition["services"].items() if name in SERVICES}
    _write(folder / "endpoints.json", regions)


def without_documentation(model: Any) -> Any:
    """``model`` with every text that is for people empty: gone, one that botocore looks up would be missed. A member that
    happens to be called documentation is no text."""
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
