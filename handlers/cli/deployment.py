"""The deployment that a command uses: its tables, functions and queues, and where they are.

The stack's outputs name them. They are resolved in this order: ``--outputs``, ``--stack``, ``SWITCHBOARD_OUTPUTS``,
environment variables, the Pulumi CLI's current stack. An environment variable has an output's name in capitals
(``JIRA_ISSUES_TABLE_NAME``); each function has ``<ENTRY POINT>_FUNCTION_NAME`` and ``<ENTRY POINT>_DEAD_LETTER_QUEUES``,
comma-separated. The command ``names`` prints them.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lib.operations.deployed import OUTPUTS, Deployment
from lib.platform import errors
from lib.platform.contract import ALL_ENTRY_POINTS

_ROOT = Path(__file__).resolve().parents[2]
_PULUMI_SECONDS = 120
READY_SECONDS = 120.0
"""How long to wait while the file of outputs is empty: the local cloud writes it when it is ready."""
_MESSAGE_SECONDS = 1.0
"""A longer wait is announced."""
# An ARN names its region. This table is always in the stack's own account and region.
_REGIONAL = "jira_operations_table_arn"


def shuttle_table(deployment: Deployment) -> tuple[Any, str]:
    """A DynamoDB client and the name of the Shuttle table."""
    return deployment.client("dynamodb"), deployment.output("shuttle_table_name")


def find(outputs: str | None, stack: str | None, environ: MutableMapping[str, str] = os.environ) -> Deployment:
    """Find the deployment, and point the AWS SDK at it by setting the SDK's environment variables.

    Waits up to two minutes for outputs that are not ready yet.

    Args:
        outputs: the argument of ``--outputs``.
        stack: the argument of ``--stack``.
        environ: the environment.

    Raises:
        ConfigurationError: there is none, or its outputs can't be read.
    """
    if outputs:
        return _point_at(_read_outputs(outputs), environ)
    named = _from_variables(environ)
    if named and not stack:
        return Deployment(named, "the environment variables")
    if shutil.which("pulumi", path=environ.get("PATH")):
        return _point_at(Deployment(_ask_pulumi(stack), "the outputs of the Pulumi stack"), environ)
    if stack:
        raise errors.ConfigurationError("--stack needs the Pulumi CLI, which is not on PATH")
    raise errors.ConfigurationError("no deployment selected: pass --stack or --outputs, or set JIRA_ISSUES_TABLE_NAME, …")


def _read_outputs(name: str) -> Deployment:
    source = "standard input" if name == "-" else name
    try:
        if name == "-":
            value = _first_json(sys.stdin)
        else:
            with _announced(f"Waiting for the outputs in {source}: the deployment is not ready yet."):
                value = _first_json_of_file(Path(name))
    except OSError as error:
        raise errors.ConfigurationError(f"can't read the outputs from {source}: {error.strerror}") from None
    except EOFError:
        raise errors.ConfigurationError(
            f"can't read the outputs from {source}: it is empty; did the deployment start?"
        ) from None
    except (ValueError, RecursionError):
        raise errors.ConfigurationError(f"can't read the outputs from {source}: it is not JSON") from None
    if not isinstance(value, dict):
        raise errors.ConfigurationError(f"can't read the outputs from {source}: it is not a JSON object")
    return Deployment(value, source)


@contextmanager
def _announced(message: str) -> Iterator[None]:
    """Print ``message`` on standard error if the block takes longer than a second."""
    timer = threading.Timer(_MESSAGE_SECONDS, sys.stderr.write, (f"{message}\n",))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _first_json_of_file(path: Path) -> Any:
    """The first JSON value of a file. Waits while the file is empty.

    Raises:
        EOFError: it stayed empty.
    """
    end = time.monotonic() + READY_SECONDS
    while True:
        try:
            with path.open(encoding="utf-8-sig") as lines:
                return _first_json(lines)
        except EOFError:
            # A pipe, as in --outputs <(pulumi stack output --json), is read once only.
            if time.monotonic() > end or not path.is_file():
                raise
        time.sleep(0.2)


def _first_json(lines: Iterable[str]) -> Any:
    """The first JSON value. Nothing after it is read: the local cloud's standard output stays open."""
    text = ""
    for line in lines:
        text += line
        if line.rstrip().endswith("}"):
            try:
                return json.loads(text)
            except ValueError:
                continue  # an inner brace of indented JSON
    if not text.strip():
        raise EOFError
    return json.loads(text)


def _from_variables(environ: Mapping[str, str]) -> dict[str, Any]:
    def of_each(ending: str) -> dict[str, str]:
        named = {entry_point: environ.get(f"{entry_point.upper()}_{ending}", "") for entry_point in ALL_ENTRY_POINTS}
        return {entry_point: value for entry_point, value in named.items() if value}

    queues = of_each("DEAD_LETTER_QUEUES")
    found: dict[str, Any] = {name: environ.get(name.upper(), "") for name in OUTPUTS}
    found |= {
        "functions": of_each("FUNCTION_NAME"),
        "dead_letter_queues": {name: [each.strip() for each in value.split(",")] for name, value in queues.items()},
    }
    selects = ("jira_issues_table_name", "functions", "dead_letter_queues")  # others may be set for other programs
    return found if any(found[name] for name in selects) else {}


def _ask_pulumi(stack: str | None) -> dict[str, Any]:
    command = ["pulumi", "stack", "output", "--json", "--non-interactive", *(["--stack", stack] if stack else [])]
    try:
        done = subprocess.run(  # noqa: S603 - no shell; the argument is the user's own
            command, cwd=_ROOT, capture_output=True, text=True, timeout=_PULUMI_SECONDS, check=False
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise errors.ConfigurationError(f"the Pulumi CLI gave no outputs: {lines[-1].removeprefix('error: ')}")
        value = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise errors.ConfigurationError(f"the Pulumi CLI gave no outputs: {type(error).__name__}") from None
    if not isinstance(value, dict):
        raise errors.ConfigurationError("the Pulumi CLI gave no outputs: it did not print a JSON object")
    return value


def _point_at(found: Deployment, environ: MutableMapping[str, str]) -> Deployment:
    """Set the environment variables of the AWS SDK for ``found``: the local cloud's, or the stack's own region."""
    value = found.outputs
    if isinstance(value.get("aws_url"), str) and isinstance(value.get("outputs"), dict):
        url, region = value["aws_url"], value.get("region")
        if not (re.fullmatch(r"https?://[\w.\[\]:-]+/?", url) and isinstance(region, str) and region):
            raise errors.ConfigurationError(f"{found.source} does not name the aws_url and the region of a local cloud")
        for name in [name for name in environ if name.startswith("AWS_")]:
            del environ[name]
        local = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": region,
            "no_proxy": f"{environ.get('no_proxy') or environ.get('NO_PROXY', '')},{urlsplit(url).hostname}".lstrip(","),
        }
        environ.update(local)
        return Deployment(value["outputs"], f"the local cloud of {found.source}", local)
    arn = str(value.get(_REGIONAL, "")).split(":")
    if len(arn) > 3:
        environ["AWS_DEFAULT_REGION"] = arn[3]
    return found
