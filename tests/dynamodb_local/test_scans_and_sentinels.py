"""What depends on how a real engine handles keys, pages and batches: the sentinels of the health check, a backfill that scans
in segments, and a prune that scans page by page and deletes in batches.
"""

from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

from lib.health import Status, run_checks
from lib.jira.backfill.report import Report
from lib.jira.backfill.worker import Tools, work
from lib.jira.issues import IssueFields, Stamp
from lib.jira.webhooks import Delivery
from lib.operations.backfill import Backfill, Checkpoint
from lib.operations.cloud_backfill import CloudBackfill, State
from lib.operations.pruning import Pruned, Pruner
from lib.platform.contract import JIRA_ISSUES, JIRA_OPERATIONS, LEASE_TABLE, SHUTTLE
from lib.platform.environment.health import HealthEnvironment
from lib.platform.queues import Queue
from lib.platform.sqs_batch import Record
from tests.support.dynamodb.engine_table import EngineTable
from tests.support.dynamodb.tables import a_table
from tests.support.jira.backfill import legacy as a_legacy_row
from tests.support.jira.builders import NOW, make_reader, make_store


def test_the_health_check_passes_on_four_tables_and_leaves_no_rows(engine: Any) -> None:
    with ExitStack() as stack:
        leases, issues, operations, shops = (
            stack.enter_context(a_table(engine, layout)) for layout in (LEASE_TABLE, JIRA_ISSUES, JIRA_OPERATIONS, SHUTTLE)
        )
        environment = HealthEnvironment(
            lease_table_arn=engine.describe_table(TableName=leases)["Table"]["TableArn"],
            jira_issues_table_name=issues,
            operations_table_name=operations,
            shuttle_table_name=shops,
        )

        report = run_checks(environment, clients=lambda service: {"dynamodb": engine}[service], seconds=30)

        tables = {check.name: (check.status, check.detail) for check in report.checks if check.name.endswith("_table")}
        assert len(tables) == 4
        assert {status for status, _ in tables.values()} == {Status.OK}, tables
        assert [engine.scan(TableName=name)["Count"] for name in (leases, issues, operations, shops)] == [0, 0, 0, 0]


def test_a_backfill_takes_every_row_of_every_segment_once(engine: Any, jira_issues: EngineTable) -> None:
    keys = [f"OPS-{number}" for number in range(1, 41)]
    with a_table(engine, JIRA_ISSUES) as legacy:
        for key in keys:
            row = {"issue_key": key, "updated_at": "2025-01-01T10:00:00Z", "status": "Done", "summary": "s"}
            engine.put_item(TableName=legacy, Item={name: {"S": value} for name, value in row.items()})
        checkpoint = Checkpoint(None, legacy, segments=4)

        # By threads, to one table; its own count of calls is of no interest here.
        report = Backfill(engine, checkpoint, make_store(jira_issues), page_size=3).run()

        assert report == Report(scanned=40, stored=40)
        assert checkpoint.reached == dict.fromkeys(range(4))
        assert {key for key, row in jira_issues.items if row == "HEAD"} == set(keys)
        assert Backfill(engine, checkpoint, None).verify(make_reader(jira_issues)).behind == 0


def test_a_backfill_in_the_cloud_counts_every_row_of_every_segment_once(engine: Any, jira_issues: EngineTable) -> None:
    """The conditions of its progress, and keys as positions, on a real engine."""
    with a_table(engine, JIRA_ISSUES) as legacy, a_table(engine, JIRA_OPERATIONS) as operations:
        for number in range(1, 41):
            engine.put_item(TableName=legacy, Item=a_legacy_row(number))
        sqs = Mock()
        cloud = CloudBackfill(engine, operations, legacy, Queue(sqs, "queue"))
        cloud.start(segments=4, writes_per_second=8)  # pages of ten rows
        tools = Tools(
            client=engine,
            source=legacy,
            operations_table_name=operations,
            writer=make_store(jira_issues),
            reader=make_reader(jira_issues),
            queue=Queue(sqs, "queue"),
            logger=Mock(),
            sleep=lambda _: None,
        )
        bodies = [call.kwargs["MessageBody"] for call in sqs.send_message.call_args_list]

        for number, body in enumerate(bodies * 2):  # each twice
            assert work(Record(f"m-{number}", body, "backfill-work", "r", 1), tools, lambda: 900.0)

        status = cloud.status()
        assert (status.state, status.report.stored, status.report.scanned) == (State.DONE, 40, 40)
        assert (status.verification.rows, status.verification.behind) == (40, 0)


def test_a_prune_reads_every_page_and_deletes_every_batch(jira_issues: EngineTable) -> None:
    store = make_store(jira_issues)
    for second in range(130):  # more than a page of the scan, and no whole number of batches
        stamp = Stamp(f"2026-03-01T12:{second // 60:02d}:{second % 60:02d}.000000Z", second, f"d-{second}")
        store.record(Delivery("OPS-7", "1", stamp, "jira:issue_updated", IssueFields("s"), deleted=False, snapshot="{}"))

    pruned = Pruner(jira_issues, "issues").prune(NOW + timedelta(days=30))

    assert pruned == Pruned(versions=130, deleted=129)
    assert [version.stamp.event_at for version in make_reader(jira_issues).history("OPS-7")] == [129]
