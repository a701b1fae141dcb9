"""Options and types of arguments that more than one command takes."""

import sys
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from lib.jira import issues
from lib.operations.ages import parse_age, parse_moment
from lib.platform import clock, errors
from lib.shuttle import keys

if TYPE_CHECKING:
    from lib.operations.deployed import Deployment

Find = Callable[[], "Deployment"]
"""What ``click.pass_obj`` gives a command: finds the deployment, when the command needs it."""


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")
limit_option = click.option(
    "--limit", type=click.IntRange(1), metavar="N", default=50, show_default=True, help="Show at most this many."
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")


def confirm(question: str, *, instead: str = "pass --yes") -> None:
    """Ask, and abort unless the answer is yes.

    Args:
        question: the question.
        instead: what to do where nobody can answer.
    """
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        click.echo(err=True)
        raise click.ClickException(f"Nobody answered on standard input: {instead}.") from None
    if not agreed:
        raise click.Abort


def refuse_reversed(since: date | datetime | None, until: date | datetime | None) -> None:
    """Refuse a range of ``--since`` and ``--until`` that ends before it begins."""
    if since and until and until < since:
        raise click.UsageError("--until is before --since.")


class Checked(click.ParamType[str]):
    """A text that a function checks."""

    def __init__(self, name: str, check: Callable[[str], str]) -> None:
        self.name = name
        self._check = check

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check it."""
        try:
            return self._check(value)
        except errors.InvalidInputError as error:
            self.fail(f"{error}.", param, ctx)


def _instant(text: str) -> str:
    """A time with an offset, in the form in which it is stored."""
    try:
        return clock.canonical(clock.parse(text))
    except ValueError:
        raise errors.InvalidInputError(f"{text[:40]!a} is not a time: write 2026-01-22T13:00:00-07:00") from None


ISSUE_KEY = Checked("key", issues.issue_key)
INSTANT = Checked("time", _instant)
PROJECT_KEY = Checked("project", issues.project_key)
SHOP = Checked("shop", keys.shop_domain)
JOB_ID = Checked("job", keys.job_id)
CONFIG_NAME = Checked("name", lambda text: keys.opaque_id(text, "config name"))
MONTH = Checked("month", keys.month)


class Age(click.ParamType[timedelta]):
    """A length of time: ``12h``, ``90d``, ``4w``."""

    name = "age"
    minutes = False

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read it."""
        if isinstance(value, timedelta):
            return value
        try:
            return parse_age(value, minutes=self.minutes)
        except errors.InvalidInputError as error:
            self.fail(f"{error}.", param, ctx)


class Recent(Age):
    """A short length of time too: ``30m``."""

    minutes = True


class Moment(click.ParamType[datetime]):
    """An instant: an age before now, or a time."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read it."""
        if isinstance(value, datetime):
            return value
        try:
            return parse_moment(value, clock.utc_now())
        except errors.InvalidInputError as error:
            self.fail(f"{error}.", param, ctx)


_FIRST_DAY, _LAST_DAY = date(1970, 1, 1), date(9999, 12, 29)
"""The last day whose end every time zone can represent (lib/platform/clock.py)."""


class Day(click.ParamType[date]):
    """A day since 1970: ``2026-01-22``."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Read it."""
        if isinstance(value, date):
            return value
        try:
            day = date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value[:20]!a} is not a day: write 2026-01-22.", param, ctx)
        if not _FIRST_DAY <= day <= _LAST_DAY:
            self.fail(f"{value[:20]!a} is not a day from {_FIRST_DAY} to {_LAST_DAY}.", param, ctx)
        return day


def start_of(day: date) -> datetime:
    """The instant at which ``day`` begins in Phoenix."""
    return clock.parse(f"{day.isoformat()}T00:00:00-07:00")
