"""``health``: the deep checks of lib/health.py, from this machine and with your credentials."""

import click

from handlers.cli import output
from handlers.cli.options import Find
from lib.health import Report, Status, run_checks
from lib.platform import clock
from lib.platform.environment.health import HealthEnvironment
from lib.platform.wording import counted

_STYLES = {Status.OK: "green", Status.FAILED: "bold red", Status.SKIPPED: "yellow"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_obj
def health(find: Find, as_json: bool) -> int:
    """Check every table, secret and service that Switchboard uses.

    Writes a sentinel row to each table, reads it back and deletes it. Exit code 1 if a check failed.
    """
    deployment = find()
    environment = deployment.environment("health", HealthEnvironment)
    with output.err().status("Checking"):
        report = run_checks(environment, clients=deployment.client)
    if as_json:
        output.print_json(report.as_json())
    else:
        _show(report)
    return 0 if report.ok else 1


def _show(report: Report) -> None:
    table = output.table("check", "status", "ms", "detail", numbers=("ms",))
    for check in report.checks:
        status = f"[{_STYLES[check.status]}]{check.status.value}[/]"
        table.add_row(check.name, status, f"{check.latency_ms:.0f}", output.plain(check.detail))
    output.show(table, f"Health at {clock.phoenix(report.generated_at)}")
    if report.failed:
        output.err().print(f"{len(report.failed)} of {counted(len(report.checks), 'check')} failed.")
