"""Runs each function in a process of its own, under Lambda's own runtime client (``awslambdaric``).

A process gets the environment that the program declares, the variables that Lambda sets and the credentials of its
function's role, and nothing of this process's environment. A process that exits or exceeds its timeout is replaced, and
its invocation fails as on Lambda. If a process can't import its handler, the waiting invocations fail.
"""

import dataclasses
import json
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from stack.local.errors import StartError
from stack.local.runtime_api import Invocation, Mailbox, Result, RuntimeApi
from stack.local.sandbox import CHECKOUT, Sandbox
from stack.local.serving import LOOPBACK, Server

LATEST = "$LATEST"
"""The version of a function that is not published."""

_POLL_SECONDS = 0.05
_RESTART_SECONDS = (0.0, 0.2, 1.0, 5.0)
"""Pause before a process is started again, by the number of processes that ended without having served anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The AWS credentials of a process."""

    access_key_id: str
    secret_access_key: str
    session_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSpec:
    """A function as the program declares it, or a version of it.

    Attributes:
        name: its name in AWS.
        arn: its ARN, without a version.
        version: the number of a published version, or ``$LATEST``.
        handler: ``module.function`` of the entry point.
        timeout_seconds: the limit of one invocation.
        memory_mb: passed to the function, not enforced.
        environment: the variables that the program declares.
        log_group: the group of its output.
        log_format: ``JSON`` or ``Text``, for the lines of the runtime client.
        role_arn: the role whose credentials it gets.
    """

    name: str
    arn: str
    handler: str
    timeout_seconds: int
    memory_mb: int
    environment: Mapping[str, str]
    log_group: str
    log_format: str
    role_arn: str
    version: str = LATEST

    def runs_as(self, other: "FunctionSpec") -> bool:
        """Whether a process of the one can serve the other: all but the version is the same."""
        return self is other or dataclasses.replace(self, version=other.version) == other

    @property
    def entry_point(self) -> str:
        """The entry point's name: ``notification`` of ``handlers.notification.lambda_handler``."""
        return self.handler.split(".")[-2]


class FunctionStartError(StartError):
    """A function's process could not be started or failed while importing its handler."""


class FunctionHost:
    """One function: its mailbox, and the process that serves it.

    Args:
        spec: the function.
        aws_url: the endpoint of its AWS calls.
        region: its AWS region.
        credentials: of its role.
        write_log: takes (log group, log stream, line).
        sandbox: what the process runs.
    """

    def __init__(
        self,
        spec: FunctionSpec,
        *,
        aws_url: str,
        region: str,
        credentials: Credentials,
        write_log: Callable[[str, str, str], None],
        sandbox: Sandbox = CHECKOUT,
    ) -> None:
        self.spec = spec
        self.mailbox = Mailbox(spec.timeout_seconds, self._is_alive)
        self._runtime_api = Server(RuntimeApi(self.mailbox), purpose="the Runtime API")
        self._sandbox = sandbox
        self._platform = {
            "LAMBDA_TASK_ROOT": str(sandbox.folder),
            "PYTHONPATH": str(sandbox.folder),
            **_platform(self._runtime_api.port, aws_url, region, credentials),
        }
        self._write_log = write_log
        self._stopping = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._supervisor = threading.Thread(target=self._supervise, name=f"supervise-{spec.name}", daemon=True)

    def start(self) -> None:
        """Start the process."""
        self._process = self._spawn()
        self._supervisor.start()

    @property
    def pid(self) -> int | None:
        """The current process."""
        return self._process.pid if self._process else None

    def wait_ready(self, timeout_seconds: float) -> None:
        """Wait until the process has imported its handler and asks for an invocation.

        Raises:
            FunctionStartError: it failed, or took longer than ``timeout_seconds``.
        """
        ready = self.mailbox.initialised.wait(timeout_seconds)
        if self.mailbox.init_error is not None:
            error = self.mailbox.init_error
            raise FunctionStartError(
                f"The function {self.spec.entry_point} failed to start: {error.get('errorType')}: {error.get('errorMessage')}"
            )
        if not ready:
            raise FunctionStartError(f"The function {self.spec.entry_point} did not start in time.")

    def redeploy(self, spec: FunctionSpec) -> None:
        """Run another version of the function. The current invocation ends first; those that wait run on the new version."""
        self.spec = spec
        self.mailbox.retire(spec.timeout_seconds)

    def invoke(self, payload: bytes, request_id: str | None = None, arn: str = "") -> Result:
        """Run the function on one event and wait for the result.

        Args:
            payload: the event.
            request_id: of the invocation. A retry keeps it, as on Lambda.
            arn: that was invoked, with the alias or version; by default without.
        """
        invocation = Invocation(payload, request_id or str(uuid.uuid4()), function_arn=arn or self.spec.arn)
        if self._stopping.is_set():
            invocation.settle(b'{"errorType":"Runtime.ExitError","errorMessage":"the local cloud has stopped"}', "Unhandled")
        else:
            self.mailbox.put(invocation)
        return invocation.wait()

    def stop(self) -> None:
        """End the process and fail its invocations."""
        self._stopping.set()
        if self._process is not None:
            self._supervisor.join(timeout=10)  # it may be starting another process
            _end(self._process)
        self.mailbox.fail_all("the local cloud has stopped")
        self._runtime_api.close()

    def _is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _spawn(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(  # noqa: S603 (our own interpreter on our own handler)
            [*self._sandbox.command, self.spec.handler],
            cwd=self._sandbox.folder,
            env=self._platform | _environment(self.spec),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Ctrl-C must reach the local cloud only
        )
        stream = f"{time.strftime('%Y/%m/%d')}/[{self.spec.version}]{process.pid:032x}"
        threading.Thread(target=self._read_output, args=(process, stream), daemon=True).start()
        return process

    def _read_output(self, process: subprocess.Popen[str], stream: str) -> None:
        assert process.stdout is not None  # noqa: S101 (asked for above)
        with process.stdout:
            for line in process.stdout:
                if text := line.rstrip("\n"):
                    self._write_log(self.spec.log_group, stream, text)

    def _supervise(self) -> None:
        idle_ends = 0
        while not self._stopping.is_set():
            process = self._process
            assert process is not None  # noqa: S101 (started before this thread)
            if self.mailbox.overdue():
                _kill(process)
                self._replaced(f"Task timed out after {self.mailbox.timeout_seconds:.2f} seconds")
                idle_ends = 0
            elif self.mailbox.is_vacated():
                _end(process)
                self._replaced("the function was redeployed")
                idle_ends = 0
            elif process.poll() is not None:
                served = self._replaced(f"Runtime exited with exit status {process.returncode}")
                idle_ends = 0 if served else min(idle_ends + 1, len(_RESTART_SECONDS) - 1)
                self._stopping.wait(_RESTART_SECONDS[idle_ends])
            else:
                self._stopping.wait(_POLL_SECONDS)
                continue
            if not self._stopping.is_set():
                self._process = self._spawn()

    def _replaced(self, message: str) -> bool:
        has_served = self.mailbox.has_served
        failed = self.mailbox.replace(message)
        if failed is not None:
            line = f"RequestId: {failed.request_id} Error: {message}"
            if self.spec.log_format == "JSON":
                line = json.dumps({"type": "platform.report", "level": "ERROR", "message": line})
            self._write_log(self.spec.log_group, "platform", line)
        return has_served or failed is not None


def wait_ready(hosts: Iterable[FunctionHost], timeout_seconds: float) -> None:
    """Wait until all are ready, within one timeout. Raises as :meth:`FunctionHost.wait_ready` does."""
    deadline = time.monotonic() + timeout_seconds
    for host in hosts:
        host.wait_ready(max(0.0, deadline - time.monotonic()))


def _platform(runtime_port: int, aws_url: str, region: str, credentials: Credentials) -> dict[str, str]:
    return {
        "AWS_LAMBDA_RUNTIME_API": f"{LOOPBACK}:{runtime_port}",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL": aws_url,
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONUNBUFFERED": "1",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
    }


def _environment(spec: FunctionSpec) -> dict[str, str]:
    own = {
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": spec.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
        "AWS_LAMBDA_LOG_GROUP_NAME": spec.log_group,
        "AWS_LAMBDA_LOG_FORMAT": spec.log_format,
        "_HANDLER": spec.handler,
    }
    return {**own, **spec.environment}


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        _kill(process)


def _kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait(timeout=5)
