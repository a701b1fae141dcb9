"""Slack waits 3 s for the answer to a click. It comes within 300 ms (p99) even while Jira does not answer at all.

The one timed test of the approvals: the bound is a requirement, so that it is measured and always printed.
"""

import statistics
import time

from tests.support.approvals_cloud import ADA, Desk

CLICKS = 100
LIMIT_MS = 300.0


def test_a_click_is_acknowledged_within_300_ms_while_jira_hangs(desk: Desk, capsys) -> None:
    previews = [desk.preview_of(desk.draft()) for _ in range(CLICKS)]
    payloads = [desk.payload(preview, ADA) for preview in previews]
    desk.jira.fail("/rest/api/3/*", times=10_000, hang=600)
    try:
        took = []
        for payload in payloads:
            started = time.perf_counter()
            answer = desk.interact(payload)
            took.append((time.perf_counter() - started) * 1000)
            assert answer.status_code == 200
    finally:
        desk.jira.app.faults.clear()

    took.sort()
    p99 = took[-2]  # nearest rank of 100: one click in a hundred may take longer
    figures = f"p50 {statistics.median(took):.0f} ms, p95 {took[94]:.0f} ms, p99 {p99:.0f} ms, max {took[-1]:.0f} ms"
    with capsys.disabled():
        print(f"\n{CLICKS} clicks acknowledged while Jira hangs: {figures} (limit: p99 under {LIMIT_MS:.0f} ms)")
    assert p99 < LIMIT_MS, figures
    # All of them count: Jira answers again, and the last one gets its issue.
    desk.header_becomes(previews[-1], "Ticket Created: ", seconds=120)
