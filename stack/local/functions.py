"""Runs each function in a process of its own, under Lambda's own runtime client (``awslambdaric``).

A process gets the environment that the program declares, the variables that Lambda sets and the credentials of its
function's role, and nothing of this process's environment. If it exits or exceeds its timeout, its invocation fails as on
Lambda, and the next call starts another. If a process can't import its handler, the invocation fails.
"""

import dataclasses
import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stack.local.errors import StartError
from stack.local.processes import Start, spawn
from stack.local.runtime_api import Invocation, Mailbox, Result, RuntimeApi
from stack.local.sandbox import CHECKOUT, Sandbox
from stack.local.serving import LOOPBACK, Server

LATEST = "$LATEST"
"""The version of a function that is not published."""
MAX_PROCESSES = 4
"""The most processes of one function. They wait for AWS calls more than they compute, but share the cores of one machine."""
INIT_SECONDS = 60.0
"""How long a process may take to import its handler. Lambda allows 10 s, but does nothing else meanwhile."""
_STOP_SECONDS = 5.0

WriteLog = Callable[[str, str, str], None]
"""Takes (log group, log stream, line)."""


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
        reserved_concurrency: how many calls it runs at the same time at most; None for no limit of its own.
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
    reserved_concurrency: int | None = None

    def runs_as(self, other: "FunctionSpec") -> bool:
        """Whether a process of one can serve the other: only their versions differ."""
        same = dataclasses.replace(self, version=other.version, reserved_concurrency=other.reserved_concurrency)
        return self is other or same == other

    @property
    def entry_point(self) -> str:
        """The entry point's name: ``notification`` of ``handlers.notification.lambda_handler``."""
        return self.handler.split(".")[-2]


class FunctionHost:
    """One function and its processes: one per concurrent call, as on Lambda, but at most :data:`MAX_PROCESSES` or the reserved
    concurrency. Further calls wait. A process starts with the call that needs it.

    Args:
        spec: the function.
        aws_url: the endpoint of its AWS calls.
        region: its AWS region.
        credentials: of its role.
        write_log: takes (log group, log stream, line).
        sandbox: what a process runs.
        start: starts a process.
    """

    def __init__(
        self,
        spec: FunctionSpec,
        *,
        aws_url: str,
        region: str,
        credentials: Credentials,
        write_log: WriteLog,
        sandbox: Sandbox = CHECKOUT,
        start: Start = spawn,
    ) -> None:
        self.spec = spec
        self._limit = min(spec.reserved_concurrency or MAX_PROCESSES, MAX_PROCESSES)
        platform = {"LAMBDA_TASK_ROOT": str(sandbox.folder), "PYTHONPATH": str(sandbox.folder)}
        platform |= _platform(aws_url, region, credentials)
        self._make: Callable[[], _Runner] = lambda: _Runner(self.spec, sandbox, platform, start, write_log)
        self._changed = threading.Condition()
        self._idle: list[_Runner] = []
        self._all: set[_Runner] = set()
        self._starting = 0
        self._is_stopped = False

    def start(self) -> None:
        """Start a process before a call needs it."""
        self._give_back(self._acquire())

    @property
    def pids(self) -> list[int]:
        """The running processes, in the order of their start."""
        with self._changed:
            return [runner.pid for runner in sorted(self._all, key=lambda runner: runner.started_at) if not runner.has_ended]

    def invoke(self, payload: bytes, request_id: str | None = None, arn: str = "") -> Result:
        """Run the function on one event and wait for the result.

        Args:
            payload: the event.
            request_id: of the invocation. A retry keeps it, as on Lambda.
            arn: that was invoked, with the alias or version; by default without.
        """
        invocation = Invocation(payload, request_id or str(uuid.uuid4()), function_arn=arn or self.spec.arn)
        while invocation.result is None:
            try:
                runner = self._acquire()
            except StartError as error:
                invocation.settle(
                    json.dumps({"errorType": "Runtime.ExitError", "errorMessage": str(error)}).encode(), "Unhandled"
                )
                break
            try:
                runner.run(invocation)
            finally:
                self._give_back(runner)
        assert invocation.result is not None  # noqa: S101 (the loop's condition)
        return invocation.result

    def renew(self) -> None:
        """Replace the processes: idle ones end now, and those that work end after their invocation."""
        with self._changed:
            idle, self._idle = self._idle, []
            for runner in self._all:
                runner.is_stale = True
            self._all.difference_update(idle)
            self._changed.notify_all()
        for runner in idle:
            runner.end()

    def redeploy(self, spec: FunctionSpec) -> None:
        """Run another version of the function. Calls under way end first; later ones run on the new version."""
        self.spec = spec
        self.renew()

    def stop(self) -> None:
        """End the processes and fail their invocations."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._starting, _STOP_SECONDS)
            runners = list(self._all)
        for runner in runners:
            runner.end()

    def _acquire(self) -> "_Runner":
        """A process for one invocation: the last that became idle, or a new one; waits while all work.

        Raises:
            StartError: the local cloud has stopped, or a process can't be started.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopped or self._idle or self._count() < self._limit)
            if self._is_stopped:
                raise StartError("the local cloud has stopped")
            while self._idle:
                runner = self._idle.pop()
                if not runner.has_ended:
                    return runner
                self._all.discard(runner)
            self._starting += 1
        try:
            runner = self._make()
        finally:
            with self._changed:
                self._starting -= 1
                self._changed.notify_all()
        with self._changed:
            self._all.add(runner)
        return runner

    def _count(self) -> int:
        return self._starting + sum(not runner.is_stale for runner in self._all)

    def _give_back(self, runner: "_Runner") -> None:
        if runner.is_stale:
            runner.end()
        with self._changed:
            if runner.is_stale or runner.has_ended:
                self._all.discard(runner)
            else:
                self._idle.append(runner)
            self._changed.notify()


class _Runner:
    """One process of a function: an execution environment, in Lambda's words. It is not started again."""

    def __init__(
        self, spec: FunctionSpec, sandbox: Sandbox, platform: Mapping[str, str], start: Start, write_log: WriteLog
    ) -> None:
        self.mailbox = Mailbox()
        self.started_at = time.monotonic()
        self._spec = spec
        self._write_log = write_log
        self._server = Server(RuntimeApi(self.mailbox), purpose="the Runtime API")
        api = {"AWS_LAMBDA_RUNTIME_API": f"{LOOPBACK}:{self._server.port}"}
        try:
            self._process = start(sandbox, spec.handler, {**platform, **api, **_environment(spec)})
        except BaseException:
            self._server.close()
            raise
        self.has_ended = False
        self.is_stale = False
        """Whether the sources have changed since it started."""
        self._timed_out = ""
        self._reader = threading.Thread(target=self._read_output, name=f"output-{spec.name}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def run(self, invocation: Invocation) -> None:
        """Work on an invocation. It has no result afterwards if another process must retry it."""
        if not self.mailbox.deliver(invocation, self._spec.timeout_seconds, INIT_SECONDS):
            self._timed_out = f"Task timed out after {self._spec.timeout_seconds:.2f} seconds"
            self._process.kill()
            self._reader.join(_STOP_SECONDS)
            error = {"errorType": "Sandbox.Timedout", "errorMessage": f"RequestId: {invocation.request_id} {self._timed_out}"}
            invocation.settle(json.dumps(error).encode(), "Unhandled")  # if no process got it

    def end(self) -> None:
        """End the process, and wait for it."""
        self._process.terminate()
        self._reader.join(timeout=1)
        if self._reader.is_alive():
            self._process.kill()
            self._reader.join(_STOP_SECONDS)

    def _read_output(self) -> None:
        """Log the output. Its end is the end of the process."""
        stream = f"{time.strftime('%Y/%m/%d')}/[{self._spec.version}]{self.pid:032x}"
        assert self._process.stdout is not None  # noqa: S101 (each starter pipes it)
        with self._process.stdout as output:
            for line in output:
                if text := line.rstrip("\n"):
                    self._write_log(self._spec.log_group, stream, text)
        code = self._process.wait()
        self.has_ended = True
        message = self._timed_out or f"Runtime exited with exit status {code}"
        failed = self.mailbox.end("Sandbox.Timedout" if self._timed_out else "Runtime.ExitError", message)
        if failed is not None:
            line = f"RequestId: {failed.request_id} Error: {message}"
            if self._spec.log_format == "JSON":
                line = json.dumps({"type": "platform.report", "level": "ERROR", "message": line})
            self._write_log(self._spec.log_group, "platform", line)
        self._server.close()


def _platform(aws_url: str, region: str, credentials: Credentials) -> dict[str, str]:
    return {
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
