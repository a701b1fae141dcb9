"""The command line, ``python -m handlers.cli COMMAND``, for AWS or the local cloud (docs/reference/cli.md).

This module finds the command, and turns every error into one sentence and an exit code: 1 for a failure, 2 for a usage error.
Commands are imported when they run, so that ``--help`` does not wait for the AWS SDK.
"""

import sys

_MAKE_SETUP = "Error: the packages of Switchboard are not installed here: run make setup, then .venv/bin/python -m handlers.cli"

try:
    import difflib
    import functools
    import importlib
    import os
    import re
    from typing import Any, NoReturn

    import click
    from click.core import ParameterSource
except ModuleNotFoundError:
    sys.exit(_MAKE_SETUP)
except KeyboardInterrupt:
    sys.exit("Error: interrupted.")

_COMMANDS = {
    "status": ("status", "Show on one screen what needs a person."),
    "events": ("events", "Show what arrived, with its outcome, the newest first."),
    "leases": ("leases", "Show what was done with leases: list, show, schemas."),
    "trace": ("trace", "Show everything that is known about an id, in time order."),
    "console": ("console", "Serve the web console on this machine."),
    "logs": ("logs", "Show the functions' log lines, or those with an id."),
    "health": ("health", "Check every table, secret and service that Switchboard uses."),
    "reconcile": ("reconcile", "Make the stored issues match Jira now."),
    "issues": ("issues", "Show stored issues: get, history, diff, snapshot, list, correlate, fetch."),
    "approvals": ("approvals", "List drafts by state, and show one: requester, preview, who may approve."),
    "operations": ("approvals", "Show the audit trail of approvals; retry an issue that failed."),
    "drafts": ("approvals", "Submit a draft for approval in Slack."),
    "prune": ("prune", "Delete superseded versions before their TTL does."),
    "backfill": ("backfill", "Copy the issues of a legacy table."),
    "shuttle": ("shuttle", "Show and change shops, jobs, catalogues, usage and settings of the app."),
    "costs": ("costs", "Estimate a month's costs of every table and function."),
    "deployments": ("deployments", "Show what was deployed and which of it is live; delete old versions."),
    "rollback": ("deployments", "Make the deployment before the live one live again, in seconds."),
    "redrive": ("redrive", "Show dead letters, and send them back to their function, or drop them."),
    "routes": ("routes", "Show where an event would be sent."),
    "names": ("names", "Print the name of every resource as shell exports."),
}
"""Each command: the module in handlers/cli/ whose function has the command's name, and its summary."""


class CommandLine(click.Group):
    """A group that imports a command when it runs, and reports errors as sentences."""

    def list_commands(self, _: click.Context) -> list[str]:
        """The names, in the order of the help."""
        return list(_COMMANDS)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"handlers.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run, and exit with 0, 1 or 2. When the reader of a pipe leaves, click and rich exit with 1."""
        _replace_closed_streams()
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        try:
            code = super().main(*args, **{**extra, "standalone_mode": False}) or 0
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            code = 2
        except click.ClickException as error:
            _print_error(error.format_message() + _suggestion(error))
            code = error.exit_code
        except click.Abort:
            _print_error("interrupted.")
            code = 1
        except ModuleNotFoundError:
            sys.exit(_MAKE_SETUP)
        except Exception as error:
            from handlers.cli.errors import explain  # noqa: PLC0415 - imports the AWS SDK

            _print_error(explain(error))
            code = 1
        sys.exit(code)


def _replace_closed_streams() -> None:
    """Open streams that were closed before the start (``2>&-``): Python sets them to None. Standard output is required."""
    for name, mode in (("stdin", "r"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 (until the process ends)
    if sys.stdout is None:
        sys.exit("Error: standard output is closed.")


def _print_error(sentence: str) -> None:
    click.echo(f"Error: {' '.join(sentence.split())}", err=True)


def _suggestion(error: click.ClickException) -> str:
    """The commands that a mistyped one resembles."""
    typed = re.fullmatch(r"No such command '(.+)'\.", error.format_message())
    context = error.ctx if isinstance(error, click.UsageError) else None
    if not typed or context is None or not isinstance(context.command, click.Group):
        return ""
    near = difflib.get_close_matches(typed[1], context.command.list_commands(context))
    return f" Did you mean {' or '.join(repr(name) for name in near)}?" if near else ""


@click.group(cls=CommandLine, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--outputs",
    metavar="FILE",
    envvar="SWITCHBOARD_OUTPUTS",
    help="File with the stack's outputs as JSON, - for standard input: what 'pulumi stack output --json' prints, or the line "
    "that the local cloud prints when it is ready.",
)
@click.option("--stack", metavar="NAME", help="Read the outputs of this stack with the Pulumi CLI.")
@click.pass_context
def cli(ctx: click.Context, outputs: str | None, stack: str | None) -> None:
    """Operate Switchboard.

    Without --outputs and --stack, the environment variables JIRA_ISSUES_TABLE_NAME, RECONCILIATION_FUNCTION_NAME, … name the
    deployment, or else the Pulumi CLI's current stack. AWS credentials are found as the AWS CLI finds them.
    """
    if outputs and stack:
        if ctx.get_parameter_source("outputs") is ParameterSource.COMMANDLINE:
            raise click.UsageError("Pass either --outputs or --stack, not both.")
        outputs = None  # from the environment variable, which --stack overrides
    ctx.obj = functools.partial(_find, outputs, stack)


def _find(outputs: str | None, stack: str | None) -> Any:
    from handlers.cli.deployment import find  # noqa: PLC0415 - imports the AWS SDK

    return find(outputs, stack)


if __name__ == "__main__":
    cli()
