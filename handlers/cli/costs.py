"""``costs``: what a month of a workload costs. Prices are in the code, with their date (lib/operations/costs/prices.py)."""

import json
from pathlib import Path

import click

from lib.operations.costs import report
from lib.operations.costs.pricing import MOST, Workload, monthly_costs
from lib.platform import errors, fields


@click.command()
@click.argument("workload_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="[FILE]", required=False)
@click.option("--events", type=click.IntRange(0, MOST), metavar="N", help="Events per day, instead of a file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--document", is_flag=True, help="Print the documentation's page on costs.")
def costs(workload_file: Path | None, events: int | None, *, as_json: bool, document: bool) -> int:
    """Estimate a month's costs of every table and function.

    FILE is JSON: {"events_per_day": 100000}, and each assumption that differs from the documentation's.
    """
    if sum((workload_file is not None, events is not None, document)) != 1:
        raise click.UsageError("Pass exactly one of a workload file, --events and --document.")
    if workload_file is not None:
        workload = _read(workload_file)
    elif events is not None:
        workload = Workload(events_per_day=events)
    else:
        click.echo(report.as_document(), nl=False)
        return 0
    month = monthly_costs(workload)
    click.echo(report.as_json(month) if as_json else report.as_table(month))
    return 0


def _read(file: Path) -> Workload:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise errors.InvalidInputError(f"{file} is not JSON") from None
    return Workload.read(fields.require_object(values, str(file)))
