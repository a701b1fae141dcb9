"""The watermark of a project: it advances after a complete catch-up only."""

from typing import Any

import pytest

from lib.platform import clock, errors
from stack.local.standins.faults import Fault
from tests.support.jira.reconciliation import SEARCH, Reconciliation, counts, of


def test_the_watermark_advances_after_a_complete_catch_up(synced: Reconciliation) -> None:
    before = clock.canonical(clock.utc_now())
    synced.run({})
    first = synced.watermark()
    synced.run({})

    assert first is not None
    assert before <= first < (synced.watermark() or "")


def test_the_next_catch_up_begins_where_the_last_one_ended(synced: Reconciliation) -> None:
    synced.run({})
    synced.jira.requests.clear()
    synced.run({})

    (search,) = [request for request in synced.jira.requests if request["path"] == SEARCH]
    assert '\\"-6m\\"' in search["body"], "five minutes of overlap, and the minute since"


def test_a_failed_catch_up_leaves_the_watermark(synced: Reconciliation) -> None:
    synced.run({})
    before = synced.watermark()
    synced.jira.faults.add(Fault(path=SEARCH, status=500, times=9))
    assert synced.run({})["refused"]

    assert synced.watermark() == before


@pytest.mark.parametrize("requests_before", [0, 1, 2])
def test_an_expired_token_keeps_the_watermark_for_the_next_good_run(synced: Reconciliation, requests_before: int) -> None:
    """Before the run, in its listing, and after it: Jira answers as if nothing had changed."""
    synced.run({})
    before = synced.watermark()
    synced.jira.edit("OPS-3", status="Done")
    synced.jira.site.restricted = {f"OPS-{number}" for number in range(1, 13)}
    synced.jira.faults.add(Fault(path="*", error="anonymous", skip=requests_before, times=99))
    result = synced.run({})
    assert "did not accept the credentials" in result["refused"][0]
    assert synced.watermark() == before

    synced.jira.faults.clear()
    assert counts(synced.run({})).get("updated", 0) + counts(result).get("updated", 0) == 1
    assert synced.latest("OPS-3").fields.status == "Done"


def test_a_full_sweep_and_a_dry_run_leave_the_watermark(synced: Reconciliation) -> None:
    synced.run({"mode": "full"})
    synced.run({"dry_run": True})

    assert synced.watermark() is None


@pytest.mark.parametrize("method", ["read", "advance"])
def test_a_watermark_that_can_not_be_read_or_written_is_a_refusal(
    synced: Reconciliation, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def refuse(*_: Any) -> None:
        raise errors.ThrottledError("could not reach the watermark")

    monkeypatch.setattr(synced.load()._runner.watermarks, method, refuse)
    result = synced.run({})

    assert "could not reach the watermark" in result["refused"][0]
    assert not of(result)["complete"]
