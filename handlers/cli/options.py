"""Types of arguments that more than one command takes."""

import re
from datetime import timedelta
from typing import Any

import click

from lib.jira import issues
from lib.platform import errors

_AGE = re.compile(r"([0-9]{1,5})([hdw])", re.ASCII)
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


class IssueKey(click.ParamType[str]):
    """An issue's key."""

    name = "key"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check it."""
        try:
            return issues.issue_key(value)
        except errors.InvalidInputError as error:
            self.fail(f"{error}.", param, ctx)


class ProjectKey(click.ParamType[str]):
    """A project's key."""

    name = "project"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check it."""
        try:
            return issues.project_key(value)
        except errors.InvalidInputError as error:
            self.fail(f"{error}.", param, ctx)


class Age(click.ParamType[timedelta]):
    """A length of time: ``12h``, ``90d``, ``4w``."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read it."""
        if isinstance(value, timedelta):
            return value
        match = _AGE.fullmatch(value)
        if match is None:
            self.fail(f"{value[:20]!a} is no age: write 12h, 90d or 4w.", param, ctx)
        return int(match[1]) * _UNITS[match[2]]
