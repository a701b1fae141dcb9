"""``python -m stack.local up``, ``python -m stack.local aws`` and ``python -m stack.local demo``.

The cloud is imported by the commands, after the signal handlers stand: the Pulumi SDK and moto take a second to import, and
Ctrl-C must end that too without a stack trace.
"""

import dataclasses
import json
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from stack.local.cloud import LocalCloud

_LOOK_UP_SECONDS = 0.2

STOP_SECONDS = 10.0
"""How long an orderly stop may take before another signal ends the process at once."""


@click.group()
def main() -> None:
    """Switchboard's local cloud: the whole stack on this machine, without an AWS account."""


@main.command()
@click.option("--http-port", type=click.IntRange(0, 65535), default=0, help="Port of the HTTP API; 0 for any free one.")
@click.option("--aws-port", type=click.IntRange(0, 65535), default=0, help="Port of the AWS API; 0 for any free one.")
@click.option("--config", "pairs", multiple=True, metavar="KEY=VALUE", help="Set a config key over Pulumi.local.yaml's.")
@click.option("--enforce-iam", is_flag=True, help="Refuse every AWS call that the function's role does not grant, as AWS does.")
@click.option("--logs", is_flag=True, help="Show the functions' output on standard error.")
@click.option(
    "--packaged",
    "python",
    is_flag=False,
    flag_value=sys.executable,
    metavar="[PYTHON]",
    help="Run the functions from the built archive, apart from all else that is installed; by this Python, or the one named.",
)
@click.option(
    "--functions-aws-url",
    default="",
    metavar="URL",
    help="Where the functions' AWS calls go instead: a proxy before --aws-port.",
)
def up(pairs: tuple[str, ...], logs: bool, python: str | None, **addresses: Any) -> None:
    """Start, print one JSON line when all is ready, and go on until Ctrl-C."""
    signals = _Signals("Stopped while starting.")
    with _start(python, config=_config(pairs), echo_logs=logs, **addresses) as cloud:
        for key, url in cloud.standins.items():
            click.echo(f"{key} is not set: a stand-in answers at {url}", err=True)
        signals.end_the_wait()
        print(json.dumps(dataclasses.asdict(cloud.ready)), flush=True)
        signals.wait()


@main.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=4566, show_default=True, help="Port to serve; 0 for any free one."
)
def aws(port: int) -> None:
    """Serve the AWS API alone, empty, for `pulumi up -s local`.

    Print one JSON line when it is ready and run until Ctrl-C. Functions, events and schedules are stored and do nothing.
    """
    signals = _Signals("Stopped while starting.")
    from stack.local import aws_endpoint  # noqa: PLC0415 (see the module's first lines)
    from stack.local.serving import PortTakenError, Server  # noqa: PLC0415 (see the module's first lines)

    try:
        server = Server(aws_endpoint.AwsEndpoint(), port, purpose="the AWS API (--port)", handler=aws_endpoint.HANDLER)
    except PortTakenError as error:
        raise click.ClickException(str(error)) from error
    signals.end_the_wait()
    print(json.dumps({"aws_url": server.url}), flush=True)
    signals.wait()
    server.close()


@main.command()
@click.option("--full", is_flag=True, help="Show every table and every notification.")
def demo(full: bool) -> None:
    """Play every flow on sample events, and check each claim."""
    _Signals("The demo was stopped.")
    from stack.local.demo import run  # noqa: PLC0415 (see the module's first lines)

    sys.exit(run(full=full))


def _config(pairs: tuple[str, ...]) -> dict[str, str]:
    config = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key.strip():
            raise click.BadParameter(f"{pair[:60]!r} is not KEY=VALUE", param_hint="--config")
        config[key.strip()] = value
    return config


def _start(python: str | None, **options: Any) -> "LocalCloud":
    from stack.local import sandbox  # noqa: PLC0415 (see the module's first lines)
    from stack.local.cloud import LocalCloud, StartError  # noqa: PLC0415 (see the module's first lines)
    from stack.packaging.archive import PackageError  # noqa: PLC0415 (see the module's first lines)

    try:
        return LocalCloud(sandbox=sandbox.packaged(python=python) if python else sandbox.CHECKOUT, **options)
    except (StartError, PackageError) as error:
        raise click.ClickException(str(error)) from error


class _Signals:
    """Turns Ctrl-C, a polite kill and a closed terminal into an orderly stop.

    A signal interrupts what goes on, the start of the cloud or the demo, and says ``interrupted``; where there is a wait
    (:meth:`end_the_wait`), it ends that instead; while the cloud stops, it is ignored for :data:`STOP_SECONDS`. After that it
    ends the process at once: an interrupt may get lost in a library, and then nothing stops. The functions end with it.
    """

    def __init__(self, interrupted: str) -> None:
        self._interrupted = interrupted
        self._stop = threading.Event()
        self._waits = False
        self._first_at = 0.0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def end_the_wait(self) -> None:
        """From now on a signal ends :meth:`wait`."""
        self._waits = True

    def wait(self) -> None:
        """Wait for a signal.

        The system may hand one to any thread, and Python runs its handler in this thread, as soon as it runs at all: a wait
        without an end would not see it.
        """
        while not self._stop.wait(_LOOK_UP_SECONDS):
            pass

    def _on_signal(self, *_: object) -> None:
        if self._stop.is_set():
            if time.monotonic() - self._first_at >= STOP_SECONDS:
                os._exit(1)
            return
        self._first_at = time.monotonic()
        interrupt = not self._waits
        self._stop.set()
        if interrupt:
            # What is torn down half-way complains from several threads: none of it is news to who pressed Ctrl-C.
            click.echo(self._interrupted, err=True)
            sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (until the process ends)
            raise KeyboardInterrupt


if __name__ == "__main__":
    main()
