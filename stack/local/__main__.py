"""``python -m stack.local up``, ``python -m stack.local aws`` and ``python -m stack.local demo``.

The commands import the cloud after they have installed the signal handlers: the Pulumi SDK and moto take a second to
import, and Ctrl-C must end that too without a stack trace.
"""

import contextlib
import dataclasses
import json
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

try:
    import click
except ModuleNotFoundError:
    sys.exit("Error: the packages of Switchboard are not installed here: run make setup, then .venv/bin/python -m stack.local")

if TYPE_CHECKING:
    from stack.local.cloud import LocalCloud

_POLL_SECONDS = 0.2

STOP_SECONDS = 20.0
"""How long an orderly stop may take. Then the process ends at once, and the functions with it."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run Switchboard's whole stack on this machine, without an AWS account."""


@main.command()
@click.option("--http-port", type=click.IntRange(0, 65535), default=0, help="Port of the HTTP API; 0 for any free one.")
@click.option("--aws-port", type=click.IntRange(0, 65535), default=0, help="Port of the AWS API; 0 for any free one.")
@click.option("--console-port", type=click.IntRange(0, 65535), default=0, help="Port of the web console; 0 for any free one.")
@click.option("--no-console", is_flag=True, help="Do not serve the web console.")
@click.option("--config", "pairs", multiple=True, metavar="KEY=VALUE", help="Set a config key; overrides Pulumi.local.yaml.")
@click.option("--enforce-iam", is_flag=True, help="Refuse AWS calls that the function's role does not grant, as AWS does.")
@click.option("--schedules", is_flag=True, help="Run the functions on their schedules, in Phoenix time.")
@click.option(
    "--names",
    type=click.Choice(["stable", "random"]),
    default="stable",
    help="Give resources the same names at every start (the default), or random names.",
)
@click.option(
    "--seed/--no-seed",
    "seeded",
    default=True,
    help="Start with sample leases, Jira issues and notifications to Slack (the default), or empty.",
)
@click.option("--reload", is_flag=True, help="Apply edits of handlers/ and lib/ on the next call; not with --packaged.")
@click.option("--logs", is_flag=True, help="Print the functions' output on standard error.")
@click.option(
    "--packaged",
    "python",
    is_flag=False,
    flag_value=sys.executable,
    metavar="[PYTHON]",
    help="Run the functions from the built archives, isolated from installed packages, on this Python or the named one.",
)
@click.option(
    "--functions-aws-url",
    default="",
    metavar="URL",
    help="Send the functions' AWS calls to this URL, a proxy in front of --aws-port.",
)
def up(pairs: tuple[str, ...], logs: bool, python: str | None, console_port: int, no_console: bool, **options: Any) -> None:
    """Start the local cloud, and run until Ctrl-C.

    Prints one line of JSON when it is ready, and a summary on standard error.
    """
    from stack.local.console import ConsoleProcess
    from stack.local.errors import StartError
    from stack.local.summary import summary

    if python and options["reload"]:
        raise click.UsageError("--packaged runs built archives, which --reload can't change")
    signals = _Signals("Stopped while starting.")
    with contextlib.ExitStack() as running:
        # Started first, since both take a second or two to import what they need.
        console = None if no_console else running.enter_context(contextlib.closing(ConsoleProcess(console_port)))
        cloud = running.enter_context(_start(python, config=_config(pairs), echo_logs=logs, **options))
        try:
            url = console.start(dataclasses.asdict(cloud.ready)) if console else ""
        except StartError as error:
            raise click.ClickException(str(error)) from error
        ready = dataclasses.replace(cloud.ready, console_url=url)
        signals.end_the_wait()
        print(json.dumps(dataclasses.asdict(ready)), flush=True)
        chosen = {name: options[name] for name in ("seeded", "schedules")}
        click.echo(summary(ready, cloud.standins, refused_status=cloud.refused_status, **chosen), err=True)
        signals.wait()


@main.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=4566, show_default=True, help="Port to serve; 0 for any free one."
)
def aws(port: int) -> None:
    """Serve only the AWS API, without resources, for `pulumi up -s local`.

    Prints one line of JSON when it is ready and runs until Ctrl-C. Functions, events and schedules are stored but do
    nothing.
    """
    signals = _Signals("Stopped while starting.")
    from stack.local import aws_endpoint
    from stack.local.serving import PortTakenError, Server

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
    """Run every flow on sample events, and check the results."""
    _Signals("The demo was stopped.")
    from stack.local.demo import run

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
    from stack.local import sandbox
    from stack.local.cloud import LocalCloud, StartError
    from stack.packaging.archive import PackageError

    try:
        return LocalCloud(sandboxes=sandbox.packaged(python=python) if python else sandbox.CHECKOUTS, **options)
    except (StartError, PackageError) as error:
        raise click.ClickException(str(error)) from error


class _Signals:
    """Turns SIGINT, SIGTERM and SIGHUP into an orderly stop.

    The first signal interrupts the start of the cloud or the demo and prints ``interrupted``; after :meth:`end_the_wait`
    it ends :meth:`wait` instead. Further signals are ignored, until :data:`STOP_SECONDS` are over: a library may have
    swallowed the interrupt, and then nothing stops.
    """

    def __init__(self, interrupted: str) -> None:
        self._interrupted = interrupted
        self._stop = threading.Event()
        self._waits = False
        signal.signal(signal.SIGALRM, lambda *_: os._exit(1))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def end_the_wait(self) -> None:
        """From now on a signal ends :meth:`wait`."""
        self._waits = True

    def wait(self) -> None:
        """Wait for a signal. It polls: Python runs signal handlers in this thread, but only while it runs."""
        while not self._stop.wait(_POLL_SECONDS):
            pass

    def _on_signal(self, *_: object) -> None:
        if self._stop.is_set():
            return
        signal.setitimer(signal.ITIMER_REAL, STOP_SECONDS)  # no thread: the main thread may hold any lock here
        interrupt = not self._waits
        self._stop.set()
        if interrupt:
            # Threads that are still starting print errors while everything stops, which is noise after Ctrl-C.
            click.echo(self._interrupted, err=True)
            sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (until the process ends)
            raise KeyboardInterrupt


if __name__ == "__main__":
    main()
