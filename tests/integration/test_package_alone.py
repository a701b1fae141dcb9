"""An archive has all that its functions import.

An isolated interpreter has only the archive, the standard library and what Lambda's runtime brings. It imports every name that
the functions import anywhere, and starts no function if its archive lacks one.
"""

import ast
import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lib.platform.contract import ENTRY_POINTS
from stack.local import sandbox
from stack.local.functions import Credentials, FunctionHost, FunctionSpec
from stack.local.sandbox import Sandbox
from stack.packaging.archive import RECIPES, ROOT
from tests.support.aws.packaged import the_archives
from tests.unit.handlers.test_cold_start import VARIABLES as COLD_START_VARIABLES

BOTOCORE_AND_ITS_OWN = {"botocore", "dateutil", "six"}
USED_IF_THERE = {"simplejson", "snapshot_restore_py"}
"""requests takes the first in place of json where it finds it; functions import the second where SnapStart is on."""
IMPORTED_LATE = (
    "fastjsonschema",
    "notifications_python_client",
    "requests",
    "slack_sdk",
    "tenacity",
    "urllib3",
)

# Replaces the runtime client: prints which imports of a list fail, and which came from the runtime's folder.
PROBE = """
import importlib, json, sys
archive, runtime, imports = sys.argv[1:]
sys.path[:0] = [archive]
sys.path.append(runtime)
import zoneinfo
zoneinfo.reset_tzpath(())
failed = []
for module, name in json.loads(imports):
    try:
        found = importlib.import_module(module)
        if name and not hasattr(found, name):
            importlib.import_module(f"{module}.{name}")
    except Exception as error:
        failed.append(f"{module} {name}: {error!r}")
own = [name for name in sys.modules if (getattr(sys.modules[name], "__file__", None) or "").startswith(runtime)]
print(json.dumps({"failed": failed, "of_runtime": sorted({name.partition(".")[0] for name in own}), "path": sys.path,
                  "modules": len(sys.modules)}))
"""

VARIABLES = {
    **COLD_START_VARIABLES,
    "NOTIFY_CHANNELS": "sns,slack,teams,govuk_notify",
    "SLACK_WEBHOOK_URL_ARN": "arn:aws:secretsmanager:us-west-2:123456789012:secret:slack",
    "TEAMS_WEBHOOK_URL_ARN": "arn:aws:secretsmanager:us-west-2:123456789012:secret:teams",
    "GOVUK_NOTIFY_API_KEY_ARN": "arn:aws:secretsmanager:us-west-2:123456789012:secret:govuk",
    "GOVUK_NOTIFY_TEMPLATE_ID": "template",
    "POWERTOOLS_SERVICE_NAME": "a-function",
    "POWERTOOLS_METRICS_NAMESPACE": "Switchboard",
}


@pytest.fixture(scope="module", params=[recipe.entry_points[0] for recipe in RECIPES])
def archive(request: pytest.FixtureRequest) -> Sandbox:
    return the_archives()[request.param]


Copy = Callable[[str], Sandbox]


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """Makes a copy of an entry point's archive, to be spoilt. Its files are links: replace them, and write into none."""

    def make(entry_point: str) -> Sandbox:
        archive, folder = the_archives()[entry_point], tmp_path / "lambda"
        shutil.copytree(archive.folder, folder, copy_function=os.link)
        *options, _, runtime = archive.command
        return sandbox.isolated(folder, Path(runtime), options[0])

    return make


@pytest.fixture(scope="module")
def probed(archive: Sandbox) -> dict[str, Any]:
    """What the probe prints for the whole archive."""
    return probe(archive, every_import(archive.folder))


def every_import(folder: Path) -> list[tuple[str, str]]:
    """Each (module, name) that lib and handlers import, at any depth of their code, and each of their own modules."""
    found: set[tuple[str, str]] = set()
    for file in [*(folder / "lib").rglob("*.py"), *(folder / "handlers").rglob("*.py")]:
        parts = file.relative_to(folder).with_suffix("").parts
        found.add((".".join(parts[:-1] if parts[-1] == "__init__" else parts), ""))
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Import):
                found |= {(alias.name, "") for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {(node.module, alias.name) for alias in node.names}
    return sorted(found)


def probe(box: Sandbox, imports: list[tuple[str, str]]) -> dict[str, Any]:
    *start, _, folder, runtime = box.command
    done = subprocess.run(
        [*start, PROBE, folder, runtime, json.dumps(imports)],
        env=VARIABLES,
        cwd=box.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    probed: dict[str, Any] = json.loads(done.stdout)
    return probed


def plant(box: Sandbox, entry_point: str, statement: str) -> None:
    """Put a statement before an entry point's own. Its bytecode goes: it would be taken for the source unseen."""
    for compiled in (box.folder / "handlers").rglob(f"{entry_point}.*pyc"):
        compiled.unlink()
    file = box.folder / "handlers" / f"{entry_point}.py"
    text = file.read_text()
    file.unlink()
    file.write_text(f"{statement}\n{text}")


class Started:
    """A function's process, started cold."""

    def __init__(self) -> None:
        self.hosts: list[FunctionHost] = []
        self.lines: list[str] = []

    def __call__(self, box: Sandbox, entry_point: str, **variables: str) -> FunctionHost:
        spec = FunctionSpec(
            name=entry_point,
            arn=f"arn:aws:lambda:us-west-2:123456789012:function:{entry_point}",
            handler=f"handlers.{entry_point}.lambda_handler",
            timeout_seconds=30,
            memory_mb=256,
            environment={**VARIABLES, **variables},
            log_group=entry_point,
            log_format="JSON",
            role_arn="arn:aws:iam::123456789012:role/a-role",
        )
        host = FunctionHost(
            spec,
            aws_url="http://127.0.0.1:9",  # nobody answers there, and nobody is asked
            region="us-west-2",
            credentials=Credentials(access_key_id="test", secret_access_key="test", session_token="test"),
            write_log=lambda group, stream, line: self.lines.append(line),
            sandbox=box,
        )
        self.hosts.append(host)
        return host


@pytest.fixture
def start() -> Iterator[Started]:
    started = Started()
    yield started
    for host in started.hosts:
        host.stop()


def test_every_import_resolves_without_this_machines_packages(probed: dict[str, Any]) -> None:
    """From the archive, Lambda's runtime or the standard library."""
    assert probed["failed"] == []
    assert probed["modules"] > 400, "it did import them"


def test_nothing_of_the_runtime_is_used_but_botocore_and_what_that_needs(probed: dict[str, Any]) -> None:
    assert set(probed["of_runtime"]) - USED_IF_THERE == BOTOCORE_AND_ITS_OWN


def test_the_interpreter_sees_no_package_of_this_machine(archive: Sandbox, probed: dict[str, Any]) -> None:
    folder, runtime = archive.command[-2:]
    first, *standard_library, last = probed["path"]

    assert (first, last) == (folder, runtime)
    assert [entry for entry in standard_library if "site-packages" in entry or "dist-packages" in entry] == []
    assert not any(os.path.samefile(entry, ROOT) for entry in standard_library if os.path.isdir(entry))


def test_an_archive_without_late_imported_packages_is_detected(copy: Copy) -> None:
    box = copy("webhooks")
    for name in IMPORTED_LATE:
        shutil.rmtree(box.folder / name)

    late = [(module, name) for module, name in every_import(box.folder) if module.startswith(IMPORTED_LATE)]
    failed = "\n".join(probe(box, late)["failed"])

    assert [name for name in IMPORTED_LATE if f"No module named '{name}" not in failed] == []


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_a_module_missing_from_the_archive_fails_the_cold_start(copy: Copy, start: Started, entry_point: str) -> None:
    assert importlib.util.find_spec("hypothesis"), "this machine has it"
    box = copy(entry_point)
    plant(box, entry_point, "import hypothesis")

    assert "No module named 'hypothesis'" in json.loads(start(box, entry_point).invoke(b"{}").payload)["errorMessage"]


@pytest.mark.parametrize(
    ("gone", "entry_point"), [("flask", "webhooks"), ("requests", "reconciliation"), ("aws_lambda_powertools", "notification")]
)
def test_a_package_missing_from_the_archive_fails_the_cold_start(
    copy: Copy, start: Started, gone: str, entry_point: str
) -> None:
    box = copy(entry_point)
    shutil.rmtree(box.folder / gone)

    assert f"No module named '{gone}'" in json.loads(start(box, entry_point).invoke(b"{}").payload)["errorMessage"]


def test_what_a_handler_finds_is_the_runtime_clients_own_environment(copy: Copy, start: Started) -> None:
    box = copy("webhooks")
    (box.folder / "handlers" / "printing.py").write_text(
        "import os, sys\n"
        "def lambda_handler(event, context):\n"
        "    return {'event': event, 'isolated': sys.flags.isolated, 'no_site': sys.flags.no_site, 'here': os.getcwd(),\n"
        "            'root': os.environ['LAMBDA_TASK_ROOT'], 'run_id': context.aws_request_id}\n"
    )

    result = start(box, "printing").invoke(b'{"asked": 1}', "run-7")

    folder = str(box.folder)
    assert not result.error
    assert json.loads(result.payload) == {
        "event": {"asked": 1},
        "isolated": 1,
        "no_site": 1,
        "here": folder,
        "root": folder,
        "run_id": "run-7",
    }
