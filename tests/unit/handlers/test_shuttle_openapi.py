"""docs/openapi.yaml tells of every route of Shuttle and of no other, and its examples are of its schemas."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from tests.support.functions import load

DOCUMENT: dict[str, Any] = yaml.safe_load((Path(__file__).resolve().parents[3] / "docs" / "openapi.yaml").read_text("utf-8"))
ROUTES = {(path, method) for path, item in DOCUMENT["paths"].items() if "/shuttle/" in path for method in item}


def test_the_document_is_openapi() -> None:
    validate(DOCUMENT)


def test_the_documents_routes_are_the_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    module = load(monkeypatch, "shuttle", {"SHUTTLE_TABLE_NAME": "shuttle", "IMPORT_BUCKET_NAME": "imports"})

    served = {
        (re.sub(r"<(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in module.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert served == ROUTES


@pytest.mark.parametrize(("path", "method"), sorted(ROUTES))
def test_every_example_is_of_its_schema(path: str, method: str) -> None:
    operation = DOCUMENT["paths"][path][method]
    contents = [answer["content"]["application/json"] for answer in operation["responses"].values() if "content" in answer]
    if "requestBody" in operation:
        contents.append(operation["requestBody"]["content"]["application/json"])

    assert contents
    for content in contents:
        schema = {**content["schema"], "components": DOCUMENT["components"]}
        Draft202012Validator(schema).validate(content["example"])
