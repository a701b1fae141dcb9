"""How far the incremental reconciliation of a project has come."""

from datetime import timedelta

from lib.jira.reconciliation.watermarks import Watermarks
from lib.platform.contract import JIRA_OPERATIONS
from tests.support.aws.moto_clients import moto_client
from tests.support.dynamodb import tables
from tests.support.jira.builders import NOW


def test_a_watermark_never_goes_back(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    with moto_client("dynamodb") as client:
        tables.create_table(client, "operations", JIRA_OPERATIONS)
        watermarks = Watermarks(client, "operations")
        assert watermarks.read("OPS") is None
        watermarks.advance("OPS", NOW)
        watermarks.advance("OPS", NOW - timedelta(minutes=1))
        assert watermarks.read("OPS") == NOW
