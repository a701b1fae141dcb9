"""``make test-pulumi`` with a fake ``pulumi`` on the PATH, which records its calls and can fail."""

import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.pulumi import run as pulumi_run

FAKE = """#!{python}
import json, os, sys
from pathlib import Path
arguments = sys.argv[1:]
if arguments[:2] == ["plugin", "ls"]:
    print(json.dumps([{{"name": "aws", "kind": "resource", "version": os.environ["FAKE_PLUGIN"]}}]))
    sys.exit(0)
assert os.environ["PULUMI_BACKEND_URL"].startswith("file://") and os.environ["PULUMI_CONFIG_PASSPHRASE"]
assert not [name for name in os.environ if name.startswith("AWS_")]
command = " ".join(arguments).removesuffix(" --non-interactive")
with open(os.environ["FAKE_CALLS"], "a") as calls:
    print(command, file=calls)
if command == os.environ.get("FAKE_FAILS"):
    sys.exit("error: that went wrong")
stack_file = Path("Pulumi.local.yaml")
assert ":4999" in stack_file.read_text() and Path("Pulumi.yaml").exists() and Path("stack/__main__.py").exists()
if arguments[:2] == ["config", "set"]:
    stack_file.write_text(stack_file.read_text() + f"# {{arguments[2]}}={{arguments[3]}}\\n")
for wrong, sentence in {wrong!r}:
    if arguments[0] == "preview" and f"# {{wrong}}\\n" in stack_file.read_text():
        sys.exit(f"error: {{sentence}}, and more.")
"""

STEPS = [
    "stack init local",
    "preview",
    "up --yes --skip-preview",
    "preview --expect-no-changes",
    "refresh --yes --skip-preview",
    "config set logRetentionDays 3",
    "up --yes --skip-preview",
    "preview --expect-no-changes",
    "config set protect maybe",
    "preview",
    "config set logRetentionDays 31",
    "preview",
    "config set notifyChanels sns",
    "preview",
    "destroy --yes --skip-preview",
]


class Machine:
    """A machine with the fake CLI, and what it was asked for."""

    def __init__(self, directory: Path, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        self.programs = directory / "bin"
        self.programs.mkdir()
        self._calls = directory / "calls"
        self.temporary = directory / "temporary"
        self.temporary.mkdir()
        wrong = [(f"{key}={value}", f"switchboard:{key} {text}") for key, value, text in pulumi_run.WRONG_CONFIG]
        self.install("pulumi", FAKE.format(python=sys.executable, wrong=wrong))
        self.install("pulumi-language-python", "")

    def install(self, name: str, text: str) -> None:
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def run(self, plugin: str = version("pulumi-aws"), fails: str = "", resolve: Callable[..., object] = list) -> str:
        """Run it all; the message that it exits with, empty if it went well."""
        self._patch.setenv("PATH", str(self.programs))
        self._patch.setenv("AWS_PROFILE", "production")
        self._patch.setenv("FAKE_CALLS", str(self._calls))
        self._patch.setenv("FAKE_PLUGIN", plugin)
        self._patch.setenv("FAKE_FAILS", fails)
        self._patch.setattr(tempfile, "tempdir", str(self.temporary))
        self._patch.setattr(socket, "getaddrinfo", lambda *_: resolve())
        self._patch.setattr(sys, "argv", ["run", "--aws-url", "http://127.0.0.1:4999"])
        try:
            pulumi_run.main()
        except SystemExit as end:
            return str(end.code)
        return ""

    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines() if self._calls.exists() else []


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_it_deploys_changes_and_deletes_a_stack_and_leaves_nothing(machine: Machine) -> None:
    before = tracked_changes()

    assert machine.run() == ""

    assert machine.calls() == STEPS
    assert list(machine.temporary.iterdir()) == []
    assert tracked_changes() == before


def test_a_step_that_fails_ends_it_with_its_output(machine: Machine) -> None:
    error = machine.run(fails="preview --expect-no-changes")

    assert error == "make test-pulumi: `pulumi preview --expect-no-changes` failed with 1:\nerror: that went wrong"
    assert machine.calls() == STEPS[:4]
    assert list(machine.temporary.iterdir()) == []


def test_wrong_config_that_is_accepted_fails_the_run(machine: Machine) -> None:
    machine.install("pulumi", (machine.programs / "pulumi").read_text().replace("must be auto", "can be auto"))

    error = machine.run()

    assert error.startswith("make test-pulumi: `pulumi preview` did not stop with 'switchboard:protect must be auto")


@pytest.mark.parametrize(
    ("program", "complaint"),
    [
        ("pulumi", "the Pulumi CLI is missing: install it (https://www.pulumi.com/docs/install/)"),
        ("pulumi-language-python", "the Python language host `pulumi-language-python` is missing"),
    ],
)
def test_a_missing_program_is_named_with_where_to_get_it(machine: Machine, program: str, complaint: str) -> None:
    (machine.programs / program).unlink()

    error = machine.run()

    assert error.startswith(f"make test-pulumi: {complaint}")
    assert "\n" not in error
    assert machine.calls() == []


def test_a_missing_plugin_is_named_with_its_version_and_the_command(machine: Machine) -> None:
    error = machine.run(plugin="6.0.0")

    wanted = version("pulumi-aws")
    sentence = f"the AWS plugin {wanted} of Pulumi is missing: run `pulumi plugin install resource aws {wanted}`"
    assert error == f"make test-pulumi: {sentence}"


def tracked_changes() -> str:
    command = ["/usr/bin/env", "PATH=/usr/local/bin:/usr/bin:/bin", "git", "status", "--porcelain", "--untracked-files=no"]
    return subprocess.run(command, cwd=pulumi_run.ROOT, capture_output=True, text=True, check=True).stdout


def test_an_unresolved_name_is_reported_with_the_line_for_the_hosts_file(machine: Machine) -> None:
    def fail(*_: object) -> None:
        raise OSError

    error = machine.run(resolve=fail)

    assert error.endswith("does not resolve: add `127.0.0.1 123456789012.localhost` to /etc/hosts")
