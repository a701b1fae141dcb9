"""``console``: the web console on this machine (handlers/console)."""

import json
import sys
import threading

import click

from handlers.cli.options import Find
from handlers.console.context import Console
from handlers.console.serving import DEFAULT_PORT, ConsoleServer


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    default=DEFAULT_PORT,
    show_default=True,
    help="Port to serve on 127.0.0.1; 0 for any free one.",
)
@click.option("--allow-writes", is_flag=True, help="Allow changes: retry, send back, drop, cancel. Each asks for confirmation.")
@click.option("--json", "as_json", is_flag=True, help="Print the URL as JSON.")
@click.option("--until-eof", is_flag=True, help="Stop when standard input closes, for programs that start the console.")
@click.pass_obj
def console(find: Find, *, port: int, allow_writes: bool, as_json: bool, until_eof: bool) -> int:
    """Serve the web console on this machine.

    It runs until Ctrl-C and uses your AWS credentials: you see and change what IAM allows you. Open the printed URL; its
    token is a secret.
    """
    server = ConsoleServer(Console(find(), allow_writes), port)
    click.echo(json.dumps({"console_url": server.url}) if as_json else f"Console: {server.url}")
    if not as_json:
        click.echo("Changes are allowed." if allow_writes else "Read-only: pass --allow-writes to allow changes.", err=True)
        click.echo("Press Ctrl-C to stop.", err=True)
    if until_eof:
        threading.Thread(target=_close_at_eof, args=(server,), daemon=True).start()
    server.serve()
    return 0


def _close_at_eof(server: ConsoleServer) -> None:
    while sys.stdin.readline():
        pass
    server.close()
