"""The program starts as the Pulumi CLI starts it: the folder ``stack`` is run, from within, and first on the path.

In a process of its own, since the path and the modules loaded are what is tested.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project.outputs import OUTPUTS

ROOT = Path(__file__).resolve().parents[2]

# What pulumi-language-python-exec does, with mocks in place of an engine and without building an archive.
AS_THE_CLI = """
import asyncio, json, os, runpy, sys
import pulumi
from pulumi.runtime.mocks import Mocks, set_mocks
from pulumi.runtime.stack import run_pulumi_func

root = os.getcwd()
sys.path.insert(0, root)
from stack.packaging import archive as package
seen = {}
def archives():
    import secrets
    seen["secrets"] = secrets.__file__
    return dict.fromkeys(package.ALL_ENTRY_POINTS, pulumi.AssetArchive({}))
package.archives = archives
sys.path.remove(root)
sys.path[:] = [entry for entry in sys.path if entry not in ("", root)]
sys.modules.pop("secrets", None)
os.chdir("stack")

class Echo(Mocks):
    def new_resource(self, args):
        arn = f"arn:aws:any:us-west-2:123456789012:{args.name}"
        return args.name, {"arn": arn, "executionArn": arn, "apiEndpoint": "https://api", "name": args.name, **args.inputs}
    def call(self, args):
        raise AssertionError(args.token)

asyncio.set_event_loop(loop := asyncio.new_event_loop())
set_mocks(Echo(), project="switchboard", stack="dev")
pulumi.runtime.set_all_config(json.loads(sys.argv[1]), secret_keys=[])
try:
    loop.run_until_complete(run_pulumi_func(lambda: runpy.run_path(".", run_name="__main__")))
except pulumi.RunError as error:
    sys.exit(f"error: {error}")
print(json.dumps({**seen, "exports": sorted(pulumi.runtime.get_root_resource().outputs)}))
"""


def start(config: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", AS_THE_CLI, json.dumps(config)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def started() -> dict[str, object]:
    result = start({"switchboard:notifyChannels": "sns"})
    assert result.returncode == 0, result.stderr
    return dict(json.loads(result.stdout.splitlines()[-1]))


def test_the_program_finds_its_modules_and_exports_its_outputs(started: dict[str, object]) -> None:
    assert started["exports"] == sorted(OUTPUTS)


def test_a_module_of_the_stack_hides_none_of_the_standard_librarys(started: dict[str, object]) -> None:
    assert not Path(str(started["secrets"])).is_relative_to(ROOT / "stack")


def test_wrong_config_is_a_run_error_which_the_cli_prints_as_it_is() -> None:
    result = start({"switchboard:notifyChannels": "pigeon"})

    assert result.returncode == 1
    assert result.stderr.strip() == (
        "error: switchboard:notifyChannels names the unknown channel 'pigeon': "
        "the channels are sns, slack, teams, govuk_notify (entry 1)."
    )
