"""The stand-ins in the archive: Flask finds all names that it imports, and answers as with the packages that they replace."""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import flask
import pytest
import urllib3
import werkzeug

from stack.packaging import stand_ins
from tests.unit.handlers.test_cold_start import VARIABLES

PACKAGES = {package: Path(str(package.__file__)).parent for package in (flask, urllib3, werkzeug)}
# One request per kind of answer, to a function that only needs Flask.
ANSWERS = """
import json, sys
from handlers import webhooks
from lib.web import wsgi
from tests.support.web.events import http_event
requests = [
    http_event("GET", "/health"), http_event("GET", "/nowhere"), http_event("GET", "/webhooks/jira"),
    http_event("POST", "/webhooks/jira", "{}"), http_event("POST", "/webhooks/jira", "x" * (11 << 20)),
    http_event("POST", "/webhooks/commits", "payload=%7B%7D", {"Content-Type": "application/x-www-form-urlencoded"}),
    http_event("OPTIONS", "/webhooks/jira"), http_event("HEAD", "/health"),
]
webhooks.clock.utc_now = lambda real=webhooks.clock.utc_now: real().replace(2026, 1, 1, 1, 1, 1, 1)
answers = [wsgi.respond(webhooks.app, request, None) for request in requests]
with open(sys.argv[1], "w") as file:
    needless = {"http.server", "click.core", "importlib.metadata", "jinja2.environment", "werkzeug.test"}
    json.dump([answers, sorted(needless & set(sys.modules))], file)
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    for source in PACKAGES.values():
        shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in stand_ins.REPLACED:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    stand_ins.write(folder)
    return folder


def names_from(archive: Path, replaced: str) -> Iterator[tuple[str, str]]:
    """What the modules of the archive import from a module, at their start: (file, name)."""
    for file in archive.rglob("*.py"):
        package = file.relative_to(archive).parent.parts
        for node in ast.parse(file.read_bytes()).body:
            if isinstance(node, ast.ImportFrom):
                parts = package[: len(package) - node.level + 1] if node.level else ()
                module = ".".join([*parts, *(node.module or "").split(".")]).strip(".")
                yield from ((file.name, alias.name) for alias in node.names if module == replaced)


@pytest.mark.parametrize("name", sorted(stand_ins.FILES))
def test_a_stand_in_has_every_name_that_is_imported_at_the_start(archive: Path, name: str) -> None:
    module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    tree = ast.parse(stand_ins.FILES[name])
    defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    defined |= {alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    if name.endswith("__init__.py"):
        defined |= {path.stem for path in (archive / name).parent.iterdir()}

    assert {imported for _, imported in names_from(archive, module)} <= defined


def answers(tmp_path: Path, *path: Path) -> tuple[list[object], list[str]]:
    output = tmp_path / "answers.json"
    own = {"ARTIFACT_BUCKET_NAME": "artifacts", "JIRA_QUEUE_URL": "https://sqs.test/work", "HISTORY_DAYS": "365"}
    # The methods of Allow are in the order of their hashes.
    environment = {**os.environ, **VARIABLES, **own, "PYTHONPATH": os.pathsep.join(map(str, path)), "PYTHONHASHSEED": "0"}
    subprocess.run([sys.executable, "-c", ANSWERS, str(output)], env=environment, check=True, capture_output=True)
    found, heavy = json.loads(output.read_text())
    return found, heavy


def test_answers_are_those_of_the_whole_flask_without_its_imports(archive: Path, tmp_path: Path) -> None:
    whole, needless = answers(tmp_path)
    lean, none = answers(tmp_path, archive)

    assert lean == whole
    assert [one["statusCode"] for one in lean] == [200, 404, 405, 401, 413, 401, 200, 200]  # type: ignore[index]
    assert (len(needless), none) == (5, [])
