"""A month's costs as a table, as JSON, and as the page docs/reference/costs.md."""

import dataclasses
import json
from collections.abc import Iterable

from lib.operations.costs import prices
from lib.operations.costs.prices import Meter
from lib.operations.costs.pricing import DAYS, Breakdown, Workload, monthly_costs

#: The sizes that docs/reference/costs.md shows.
SIZES = {"1k": 1_000, "100k": 100_000, "10M": 10_000_000}
#: The sizes of files of which the page shows what a job costs, in MB.
JOB_SIZES = (1, 10, 60, 250, 1000)

_INTRODUCTION = f"""\
`python -m handlers.cli costs --document` writes this page; a test fails when it is out of date.

The costs are dollars per month of 30 days in {prices.REGION}, without free tier, discounts and data transfer out. For
other sizes, run `python -m handlers.cli costs <file>`, with `--json` for programs.

This is an estimate, not a bill. It leaves out retries, cold starts, the reads of reconciliation, custom metrics, the
dashboard ([deployment](../deployment.md#what-it-costs)), and the prices of Slack, Teams, Jira and GOV.UK Notify."""

_ABOUT_JOBS = """\
Dollars for 1,000 jobs of Shuttle by the size of the file, with what a job stores for as long as it is kept: the upload
for a year, a version of the catalogue and its changes for three months, an export for 7 days. An import is merged with
a catalogue of the same size, and every fifth row changes. Most of the price is the storage of the upload.

An import that makes a version writes 11 units more than a check alone: the pointer, the row of the version before, the
deletion of the oldest one, and the event, which is stored, published and deleted
([tables](../database-schema.md#what-a-job-costs))."""

_DELIVERIES = """\
What one delivery of Jira costs in JiraIssues, measured on DynamoDB Local with nine webhooks of Jira Cloud and Server of
7.0 kB on average, each an update of a stored issue. *Plain* is how releases before
[ADR 33](../adr/0033-snapshots-are-compressed.md) stored snapshots, *by time* how those before
[ADR 34](../adr/0034-indexes-by-shard-and-hour.md) indexed issues.

| | plain | by time | now, same hour | now, next hour | share | goal |
| --- | ---: | ---: | ---: | ---: | ---: | --- |
| write units of the table | 8.7 | 2.6 | 2.6 | 2.6 | 0.30 | at most 0.50: met |
| write units of the indexes | 3.8 | 3.8 | 2.3 | 3.8 | 0.62 to 1.00 | – |
| write units together | 12.4 | 6.3 | 4.9 | 6.3 | 0.39 to 0.51 | at most 0.50: met if 1 in 13 is in the same hour |
| bytes of the version | 7,374 | 1,211 | 1,211 | 1,211 | 0.16 | at most 0.33: met |
| read units of an issue's history | 4.1 | 1.1 | 1.1 | 1.1 | 0.27 | at most 1.00: met |
| CPU, ms | 2.45 | – | 2.53 | – | 1.03 | at most 1.10: met |

*Same hour* and *next hour* refer to the change before: an issue with a status, an assignee and a fix version costs 7
units in the indexes for the first change in an hour, and 4 for each further one. How many changes are in the same hour
as the one before depends on how people work, and was not measured. The estimate above assumes 7 for each.

To measure other webhooks: `python -m tests.bench.delivery_costs FOLDER`."""

_ABOUT_THE_PRICES = f"""\
The prices are list prices of {prices.REGION} as of {prices.AS_OF.isoformat()}. They were **not fetched from AWS**: the
pages of AWS insert their numbers with scripts and could not be read. Before you rely on a price, check the page in the
column *decides*. The column *also stated by* names another page with the same price, usually a guide of 2024 to 2026. A
dash means that none was found."""


def as_table(breakdown: Breakdown) -> str:
    """Plain text: a line per resource and meter, and the total."""
    rows = [
        (line.resource, line.meter.value, _short(line.quantity), prices.PRICES[line.meter].unit, _money(line.dollars))
        for line in breakdown.lines
    ]
    rows.append(("total", "", "", "", _money(breakdown.dollars)))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]:<{widths[3]}}  {row[4]:>{widths[4]}}"
        for row in rows
    )


def _short(quantity: float) -> str:
    """A quantity in few characters, so that the table fits 80 columns: 0.021, 103.7, 64,760, 22.3 M."""
    if quantity >= 1_000_000:
        return f"{quantity / 1_000_000:,.1f} M"
    return f"{quantity:,.0f}" if quantity >= 1_000 else f"{quantity:,.1f}" if quantity >= 100 else f"{quantity:.3f}"


def as_json(breakdown: Breakdown) -> str:
    """JSON: the workload, the lines, the sums and the date of the prices. Dollars are rounded to a hundredth of a cent."""
    return json.dumps(
        {
            "prices_as_of": prices.AS_OF.isoformat(),
            "region": prices.REGION,
            "workload": dataclasses.asdict(breakdown.workload),
            "lines": [
                {
                    "resource": line.resource,
                    "meter": line.meter.value,
                    "quantity": round(line.quantity, 4),
                    "unit": prices.PRICES[line.meter].unit,
                    "dollars": round(line.dollars, 4),
                }
                for line in breakdown.lines
            ],
            "by_resource": {name: round(dollars, 4) for name, dollars in breakdown.by_resource().items()},
            "dollars": round(breakdown.dollars, 4),
        },
        indent=2,
    )


def as_document() -> str:
    """docs/reference/costs.md, whole."""
    months = {name: monthly_costs(Workload(events_per_day=events)) for name, events in SIZES.items()}
    return "\n".join(
        [
            "# What it costs",
            "",
            _INTRODUCTION,
            "",
            "## By resource and events a day",
            "",
            *_by_resource(months),
            "",
            "## By meter",
            "",
            *_by_meter(months),
            "",
            "## By delivery",
            "",
            _DELIVERIES,
            "",
            "## By job and size of the file",
            "",
            _ABOUT_JOBS,
            "",
            *_by_job(),
            "",
            "## The workload",
            "",
            *_assumptions(Workload(events_per_day=1)),
            "",
            "## The prices",
            "",
            _ABOUT_THE_PRICES,
            "",
            *_prices(),
            "",
        ]
    )


def _by_resource(months: dict[str, Breakdown]) -> Iterable[str]:
    totals = {name: month.by_resource() for name, month in months.items()}
    yield _row("resource", *months)
    yield _row("---", *("---:" for _ in months))
    for resource in next(iter(totals.values())):
        yield _row(resource, *(_money(totals[name].get(resource, 0)) for name in months))
    yield _row("**total**", *(f"**{_money(month.dollars)}**" for month in months.values()))


def _by_meter(months: dict[str, Breakdown]) -> Iterable[str]:
    yield _row("charged", *months)
    yield _row("---", *("---:" for _ in months))
    for meter in prices.Meter:
        sums = [sum(line.dollars for line in month.lines if line.meter is meter) for month in months.values()]
        if any(sums):
            yield _row(meter.value, *map(_money, sums))


def _by_job() -> Iterable[str]:
    groups = ("DynamoDB", "Lambda", "S3")
    yield _row("1,000 jobs", *groups, "other", "sum")
    yield _row("---", *("---:" for _ in range(len(groups) + 2)))
    for kind in ("import", "export"):
        for size in JOB_SIZES:
            dollars = _of_jobs(kind, size * 10**6)
            sums = [sum(cost for meter, cost in dollars.items() if meter.startswith(group)) for group in groups]
            total = sum(dollars.values())
            yield _row(f"{kind} of {size:,} MB", *map(_money, (*sums, total - sum(sums), total)))


def _of_jobs(kind: str, file_bytes: int) -> dict[Meter, float]:
    """What 1,000 jobs cost by meter: a month with them, less one without. In a steady state, a month's storage is what its jobs
    need for as long as it is kept.
    """
    shares = dict.fromkeys(("lease_share", "jira_share", "commit_share", "draft_share", "import_share"), 0.0)
    dollars = dict.fromkeys(Meter, 0.0)
    for jobs, sign in ((1, 1), (0, -1)):
        month = Workload(events_per_day=jobs, import_file_bytes=file_bytes, **shares | {f"{kind}_share": 1.0})  # type: ignore[arg-type]
        for line in monthly_costs(month).lines:
            dollars[line.meter] += sign * line.dollars * 1000 / DAYS
    return dollars


def _assumptions(workload: Workload) -> Iterable[str]:
    yield _row("assumption", "value")
    yield _row("---", "---:")
    for name, value in dataclasses.asdict(workload).items():
        if name != "events_per_day":
            yield _row(f"`{name}`", f"{value:,}")


def _prices() -> Iterable[str]:
    yield _row("charged", "dollars", "for", "decides", "also stated by")
    yield _row("---", "---:", "---", "---", "---")
    for meter, price in prices.PRICES.items():
        dollars = f"{price.dollars:.10f}".rstrip("0").rstrip(".")
        seen = f"<{price.seen}>" if price.seen else "–"
        yield _row(meter.value, dollars, f"{price.per:,} {price.unit}", f"<{price.source}>", seen)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _money(dollars: float) -> str:
    return f"{dollars:,.2f}"
