"""Run records: what a correlation batch or a reconciliation run did, as JSON in the artifact bucket.

Every record matches run.schema.json. No two records get the same name.
"""

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from lib.jira.correlation import IssueResult
from lib.platform import aws, clock


class RunRecords:
    """Run records in one bucket. ``get_client`` returns an S3 client of :mod:`lib.platform.aws`, and is called for each record;
    ``git_sha`` is the deployed revision."""

    def __init__(self, get_client: Callable[[], Any], bucket: str, *, git_sha: str, now: clock.Clock = clock.utc_now) -> None:
        self._get_client = get_client
        self._bucket = bucket
        self._git_sha = git_sha
        self._now = now

    def write(self, kind: str, run_id: str, issues: Iterable[Mapping[str, Any]], **more: Any) -> str:
        """Write the record of one run; returns its object name.

        Args:
            kind: ``correlation`` or ``reconciliation``: the folder of the record.
            run_id: of the invocation.
            issues: an entry for each issue.
            more: ``projects``, ``refused`` and ``max_deletes`` of a reconciliation.

        Raises:
            SwitchboardError: the bucket can't be reached or refuses.
        """
        now = self._now()
        record = run_record(run_id, self._git_sha, now, issues, **more)
        name = run_record_name(kind, now, run_id, uuid.uuid4().hex)
        body = json.dumps(record, separators=(",", ":")).encode()
        with aws.translated(f"store the run record {name}"):
            self._get_client().put_object(Bucket=self._bucket, Key=name, Body=body, ContentType="application/json")
        return name


def run_record(
    run_id: str, git_sha: str, generated_at: datetime, issues: Iterable[Mapping[str, Any]], **more: Any
) -> dict[str, Any]:
    """The record of one run, checked against run.schema.json.

    Raises:
        ValueError: it does not fit the schema: a defect.
    """
    record = {
        "run_id": run_id,
        "git_sha": git_sha,
        "generated_at": clock.phoenix(generated_at),
        "timezone": clock.TIMEZONE,
        "issues": list(issues),
        **more,
    }
    _validate()(record)
    return record


def correlation_entry(result: IssueResult) -> dict[str, Any]:
    """An issue's entry in the record of a correlation batch."""
    entry: dict[str, Any] = {"issue_key": result.issue_key, "state": result.state, "commits": list(result.commits)}
    if result.commit_count > len(result.commits):
        entry["commit_count"] = result.commit_count
    return entry | ({"moved_to": result.moved_to} if result.moved_to else {})


def run_record_name(kind: str, generated_at: datetime, run_id: str, token: str) -> str:
    """The object name of a run record, by Phoenix day; ``token`` distinguishes two attempts at one run."""
    day = clock.phoenix(generated_at)[:10]
    return f"runs/{kind}/{day}/{clock.epoch_ms(generated_at)}-{run_id}-{token}.json"


@cache
def _validate() -> Any:
    import fastjsonschema  # noqa: PLC0415 - only the worker and the sweep write records

    schema = json.loads(Path(__file__).with_name("run.schema.json").read_text(encoding="utf-8"))
    # Details of an exception are half of the generated code, and nobody reads them.
    return fastjsonschema.compile(schema, detailed_exceptions=False)
