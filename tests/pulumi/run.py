"""``make test-pulumi``: deploys the program by the Pulumi CLI to the local AWS endpoint, changes it, and deletes it again.

It needs what ``make setup`` cannot install: the Pulumi CLI and the AWS plugin. Nothing reaches AWS, and nothing is written into
the repository: the project, the stack's file and the state are in a temporary directory.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
STACK = "local"
STEP_SECONDS = 1800
SHOWN_LINES = 40

WRONG_CONFIG = (
    ("protect", "maybe", "must be auto, true or false"),
    ("logRetentionDays", "31", "must be a retention that CloudWatch Logs supports"),
    ("notifyChanels", "sns", "is not a Switchboard key"),
)
"""A key, a wrong value, and a part of the sentence that ``pulumi preview`` stops with."""


class FailedError(Exception):
    """A step failed, or something is missing. The text is for the person who ran it."""


def main() -> None:
    """Run every step, and exit with 1 and the reason when one fails."""
    parser = argparse.ArgumentParser(prog="make test-pulumi", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--aws-url", help="use this local AWS endpoint instead of starting one")
    aws_url = parser.parse_args().aws_url
    try:
        refuse_if_missing()
        with contextlib.ExitStack() as cleanup:
            url = aws_url or cleanup.enter_context(_endpoint())
            directory = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="switchboard-pulumi-")))
            _prepare(directory, urlsplit(url).port or 80)
            _run_steps(_Pulumi(directory))
    except FailedError as error:
        sys.exit(f"make test-pulumi: {error}")
    print("Pulumi's engine deployed, changed and deleted the stack.")


def refuse_if_missing() -> None:
    """Check for the programs that the run needs.

    Raises:
        FailedError: what is missing, and how to install it.
    """
    wanted = version("pulumi-aws")
    command = f"pulumi plugin install resource aws {wanted}"
    if not (pulumi := shutil.which("pulumi")):
        raise FailedError(
            "the Pulumi CLI is missing: install it (https://www.pulumi.com/docs/install/) and put `pulumi` on the PATH, "
            f"then run `{command}`"
        )
    if not (shutil.which("pulumi-language-python") or Path(pulumi).resolve().with_name("pulumi-language-python").exists()):
        raise FailedError(
            "the Python language host `pulumi-language-python` is missing: it comes with the Pulumi CLI "
            "(https://www.pulumi.com/docs/install/) and belongs beside `pulumi` or on the PATH"
        )
    listed = subprocess.run([pulumi, "plugin", "ls", "--json"], capture_output=True, text=True, timeout=60, check=False)
    plugins = json.loads(listed.stdout or "[]") if listed.returncode == 0 else []
    if not any((plugin["name"], plugin.get("version")) == ("aws", wanted) for plugin in plugins):
        raise FailedError(f"the AWS plugin {wanted} of Pulumi is missing: run `{command}`")
    host = "123456789012.localhost"  # the provider puts the account ID before S3 Control's host
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        raise FailedError(f"the name {host} does not resolve: add `127.0.0.1 {host}` to /etc/hosts") from None


@contextlib.contextmanager
def _endpoint() -> Iterator[str]:
    """The local AWS endpoint, by its URL, stopped at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "stack.local", "aws", "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise FailedError("the local AWS endpoint did not start")
        yield str(json.loads(line)["aws_url"])
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def _prepare(directory: Path, port: int) -> None:
    """A separate project, because the CLI writes next to Pulumi.yaml."""
    shutil.copy(ROOT / "Pulumi.yaml", directory)
    (directory / "stack").symlink_to(ROOT / "stack")
    (directory / ".venv").symlink_to(ROOT / ".venv")
    (directory / "state").mkdir()
    config = (ROOT / "Pulumi.local.yaml").read_text(encoding="utf-8").replace(":4566", f":{port}")
    (directory / f"Pulumi.{STACK}.yaml").write_text(config, encoding="utf-8")


def _run_steps(pulumi: "_Pulumi") -> None:
    pulumi.run("stack", "init", STACK)
    pulumi.run("preview")
    pulumi.run("up", "--yes", "--skip-preview")
    pulumi.run("preview", "--expect-no-changes")
    pulumi.run("refresh", "--yes", "--skip-preview")
    pulumi.run("config", "set", "logRetentionDays", "3")
    pulumi.run("up", "--yes", "--skip-preview")
    pulumi.run("preview", "--expect-no-changes")
    for key, value, sentence in WRONG_CONFIG:
        before = pulumi.config()
        pulumi.run("config", "set", key, value)
        pulumi.run_refused(f"switchboard:{key} {sentence}", "preview")
        pulumi.restore(before)
    pulumi.run("destroy", "--yes", "--skip-preview")


class _Pulumi:
    """The CLI in a project directory, with its state in there, and without anything of this machine's AWS account."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._environment: Mapping[str, str] = {
            **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
            "PULUMI_BACKEND_URL": f"file://{directory}/state",
            "PULUMI_CONFIG_PASSPHRASE": "not a secret: the state is deleted at the end",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }

    def run(self, *arguments: str) -> None:
        """Run a command.

        Raises:
            FailedError: it failed; the end of its output is in the text.
        """
        code, output = self._run(*arguments)
        if code != 0:
            raise FailedError(f"`pulumi {' '.join(arguments)}` failed with {code}:\n{_end(output)}")

    def run_refused(self, sentence: str, *arguments: str) -> None:
        """Run a command that must stop with ``sentence`` and without a stack trace.

        Raises:
            FailedError: it did not.
        """
        code, output = self._run(*arguments)
        if code == 0 or sentence not in output or "Traceback" in output:
            raise FailedError(
                f"`pulumi {' '.join(arguments)}` did not stop with {sentence!r}, but with {code}:\n{_end(output)}"
            )

    def config(self) -> str:
        """The stack's file."""
        return self._file().read_text(encoding="utf-8")

    def restore(self, config: str) -> None:
        """Write the stack's file as it was."""
        self._file().write_text(config, encoding="utf-8")

    def _file(self) -> Path:
        return self._directory / f"Pulumi.{STACK}.yaml"

    def _run(self, *arguments: str) -> tuple[int, str]:
        print(f"pulumi {' '.join(arguments)} … ", end="", flush=True)
        started = time.monotonic()
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self._directory,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=STEP_SECONDS,
            check=False,
        )
        print(f"{time.monotonic() - started:.0f} s, exit code {done.returncode}", flush=True)
        return done.returncode, done.stdout


def _end(output: str) -> str:
    return "\n".join(output.splitlines()[-SHOWN_LINES:])


if __name__ == "__main__":
    main()
