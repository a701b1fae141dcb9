"""The command line, ``python -m handlers.cli COMMAND``, for AWS or the local cloud (docs/reference/cli.md).

This module only finds the command and ends every error in one sentence and an exit code: 1 for what failed, 2 for what was
asked wrongly. Commands are imported when they run, so that ``--help`` does not wait for the AWS SDK.
"""

import functools
import importlib
import sys
from typing import Any, NoReturn

import click

_COMMANDS = {
    "health": ("health", "Try every table, secret and service that Switchboard stands on."),
    "reconcile": ("reconcile", "Bring the stored issues to what Jira has, now."),
    "issues": ("issues", "Look at stored issues: get, history, list."),
    "operations": ("approvals", "The audit trail of approvals; another try at an issue that failed."),
    "drafts": ("approvals", "Submit a draft for approval in Slack."),
    "prune": ("prune", "Delete superseded versions ahead of their time."),
    "backfill": ("backfill", "Take over the issues of a legacy table."),
    "shuttle": ("shuttle", "Look at shops, jobs and usage, and change them."),
    "costs": ("costs", "Estimate a month's costs of every table and function."),
    "redrive": ("redrive", "Look at dead letters, and send them back to their function."),
}
"""The module in handlers/cli/, whose function has the command's name, and what it does."""


class CommandLine(click.Group):
    """A group whose commands are imported when they are asked for, and whose errors are sentences."""

    def list_commands(self, _: click.Context) -> list[str]:
        """The names, in the order in which they are told."""
        return list(_COMMANDS)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"handlers.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Tell the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run, and exit with 0, 1 or 2. A reader that leaves early is click's and rich's to notice: both exit with 1."""
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        try:
            code = super().main(*args, **{**extra, "standalone_mode": False}) or 0
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            code = 2
        except click.ClickException as error:
            _tell(error.format_message())
            code = error.exit_code
        except click.Abort:
            _tell("stopped.")
            code = 1
        except Exception as error:
            from handlers.cli.errors import explain  # noqa: PLC0415 - imports the AWS SDK

            _tell(explain(error))
            code = 1
        sys.exit(code)


def _tell(sentence: str) -> None:
    click.echo(f"Error: {' '.join(sentence.split())}", err=True)


@click.group(cls=CommandLine, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--outputs",
    metavar="FILE",
    envvar="SWITCHBOARD_OUTPUTS",
    help="The stack's outputs as JSON, - for standard input: of 'pulumi stack output --json', or the line that the local "
    "cloud prints when it is ready.",
)
@click.option("--stack", metavar="NAME", help="Ask the Pulumi CLI for the outputs of this stack.")
@click.pass_context
def cli(ctx: click.Context, outputs: str | None, stack: str | None) -> None:
    """Run and look after Switchboard.

    Without --outputs and --stack, the environment variables JIRA_ISSUES_TABLE_NAME, RECONCILIATION_FUNCTION_NAME, … name
    what is there, or else the Pulumi CLI's current stack does. AWS credentials come from where the AWS CLI takes them.
    """
    if outputs and stack:
        raise click.UsageError("--outputs and --stack exclude each other.")
    ctx.obj = functools.partial(_find, outputs, stack)


def _find(outputs: str | None, stack: str | None) -> Any:
    from handlers.cli.deployment import find  # noqa: PLC0415 - imports the AWS SDK

    return find(outputs, stack)


if __name__ == "__main__":
    cli()
