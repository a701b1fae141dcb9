"""``costs``: what a month of a workload costs, from lib/operations/costs. Prices are in the code, with their date."""

import json
from pathlib import Path

import click

from lib.operations.costs import report
from lib.operations.costs.pricing import Workload, monthly_costs
from lib.platform import errors


@click.command()
@click.argument("workload_file", type=click.Path(path_type=Path), metavar="FILE", required=False)
@click.option("--events", type=click.IntRange(0), metavar="N", help="Events a day, in place of a file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--document", is_flag=True, help="Print docs/reference/costs.md.")
def costs(workload_file: Path | None, events: int | None, *, as_json: bool, document: bool) -> int:
    """Estimate a month's costs of every table and function.

    FILE is JSON: {"events_per_day": 100000}, and whatever else differs from the assumptions in docs/reference/costs.md.
    """
    if sum((workload_file is not None, events is not None, document)) != 1:
        raise click.UsageError("Give a workload file, --events or --document.")
    if document:
        click.echo(report.as_document(), nl=False)
        return 0
    workload = Workload(events_per_day=events) if events is not None else _read(workload_file)
    month = monthly_costs(workload)
    click.echo(report.as_json(month) if as_json else report.as_table(month))
    return 0


def _read(file: Path | None) -> Workload:
    assert file is not None  # noqa: S101 (the caller's condition, for the type checker)
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise errors.InvalidInputError(f"{file}: it is not JSON") from None
    if not isinstance(values, dict):
        raise errors.InvalidInputError(f"{file}: it is no JSON object")
    return Workload.read(values)
