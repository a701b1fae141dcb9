"""``make demo``: starts the local cloud and plays every flow on sample events.

Events enter through the AWS API and HTTP, as in production. What the demo shows was read back from queues, tables and
log groups, and checked: the exit code is 1 if a check fails.
"""

import time

from rich.console import Console

from stack.local.cloud import LocalCloud, StartError
from stack.local.demo import approvals, jira, leases, shuttle
from stack.local.demo.stage import Stage

CONFIG = {**leases.CONFIG, **jira.CONFIG, **approvals.CONFIG}


def run(*, full: bool = False) -> int:
    """Run the demo, with every table if ``full``; the exit code."""
    stage = Stage(Console(highlight=False), full=full)
    started = time.monotonic()
    try:
        with stage.busy("Starting the local cloud …"):
            cloud = LocalCloud(config=CONFIG)
    except StartError as error:
        stage.say(str(error), "red")
        return 1
    with cloud:
        stage.say(f"Ready after {time.monotonic() - started:.1f} s: the Pulumi program on moto, one process per function.")
        stage.say(f"AWS API {cloud.ready.aws_url}, HTTP API {cloud.ready.http_url}")
        stage.play(cloud, "Leases", leases.play)
        stage.play(cloud, "Jira", jira.play)
        stage.play(cloud, "Approvals", approvals.play)
        stage.play(cloud, "Shuttle", shuttle.play)
    return stage.close()
