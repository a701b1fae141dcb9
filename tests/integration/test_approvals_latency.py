"""Slack waits 3 s for the answer to a click. It comes within 300 ms (p99) even while Jira does not answer at all.

The one timed test of the approvals: the bound is a requirement, so that it is measured and every figure printed. What else
runs on the machine can only add to a round, so that the bound has to hold in one of three.
"""

import time

from tests.support.approvals_cloud import ADA, Desk

CLICKS = 100
ROUNDS = 3
LIMIT_MS = 300.0


def clicks_in_ms(desk: Desk) -> list[float]:
    """How long each of as many approvals took to be acknowledged, shortest first. Jira hangs meanwhile."""
    drafts = [desk.draft() for _ in range(CLICKS)]
    for draft in drafts[:-1]:
        assert desk.submit(draft).status_code == 200
    desk.preview_of(drafts[-1], seconds=120)
    posts = [next(each for each in desk.posts() if draft["session_id"] in str(each["blocks"])) for draft in drafts]
    payloads = [desk.payload(post, ADA) for post in posts]
    desk.jira.fail("/rest/api/3/*", times=10_000, hang=600)
    took = []
    try:
        for payload in payloads:
            started = time.perf_counter()
            answer = desk.interact(payload)
            took.append((time.perf_counter() - started) * 1000)
            assert answer.status_code == 200
    finally:
        desk.jira.app.faults.clear()
    # Each of them counted: Jira answers again, and the last one gets its issue.
    desk.header_becomes(posts[-1], "Ticket Created: ", seconds=180)
    return sorted(took)


def test_a_click_is_acknowledged_within_300_ms_while_jira_hangs(desk: Desk, capsys) -> None:
    for number in range(1, ROUNDS + 1):
        took = clicks_in_ms(desk)
        p50, p95, p99 = (took[round(CLICKS * share) - 1] for share in (0.5, 0.95, 0.99))  # nearest rank
        with capsys.disabled():
            print(
                f"\nRound {number}: {CLICKS} clicks acknowledged while Jira hangs: p50 {p50:.0f} ms, p95 {p95:.0f} ms, "
                f"p99 {p99:.0f} ms, max {took[-1]:.0f} ms (limit: p99 under {LIMIT_MS:.0f} ms)"
            )
        if p99 < LIMIT_MS:
            return
    raise AssertionError(f"p99 was over {LIMIT_MS:.0f} ms in each of {ROUNDS} rounds")
