"""How long the answer to a click takes while Jira does not answer at all, in the function as it runs in the local cloud.

    python -m tests.bench.click_latency

Slack waits 3 s; p99 is to be under 300 ms. What else runs on the machine can only add to a round, so that the
bound has to hold in one of three. The exit code says whether it does.
"""

import json
import sys
import time

from tests.support.approvals.cloud import ADA, ApprovalsCloud, running_approvals

CLICKS = 100
ROUNDS = 3
LIMIT_MS = 300.0


def clicks_in_ms(approvals: ApprovalsCloud) -> list[float]:
    """How long each of as many approvals took to be acknowledged, shortest first. Jira hangs meanwhile."""
    drafts = [approvals.draft() for _ in range(CLICKS)]
    for draft in drafts[:-1]:
        approvals.submit(draft).raise_for_status()
    approvals.preview_of(drafts[-1], seconds=120)
    posts = [next(each for each in approvals.posts() if draft["session_id"] in str(each["blocks"])) for draft in drafts]
    payloads = [approvals.payload(post, ADA) for post in posts]
    approvals.jira.fail("/rest/api/3/*", times=10_000, hang=600)
    took = []
    try:
        for payload in payloads:
            started = time.perf_counter()
            answer = approvals.interact(payload)
            took.append((time.perf_counter() - started) * 1000)
            answer.raise_for_status()
    finally:
        approvals.jira.app.faults.clear()
    approvals.header_becomes(posts[-1], "Ticket Created: ", seconds=180)  # each of them counted
    return sorted(took)


def main() -> int:
    """Measure, and print one line of JSON a round."""
    with running_approvals() as approvals:
        for number in range(1, ROUNDS + 1):
            took = clicks_in_ms(approvals)
            figures = {f"p{share:g}_ms": round(took[round(CLICKS * share / 100) - 1], 1) for share in (50, 95, 99)}
            print(json.dumps({"round": number, "clicks": CLICKS, **figures, "allowed_p99_ms": LIMIT_MS}), flush=True)
            if figures["p99_ms"] < LIMIT_MS:
                return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
