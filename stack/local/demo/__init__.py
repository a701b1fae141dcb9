"""``make demo``: the local cloud and every flow on sample events, told step by step, with what was stored, sent and measured.

Nothing here is a stand-in for the product: events go in by the AWS API and over HTTP, and what is shown was read back from
queues, tables and log groups. A step whose outcome is not what the story says makes the exit code 1.
"""

import time

from rich.console import Console

from stack.local.cloud import LocalCloud, StartError
from stack.local.demo import approvals, jira, leases, shuttle
from stack.local.demo.stage import Stage

CONFIG = {**leases.CONFIG, **jira.CONFIG, **approvals.CONFIG}


def run() -> int:
    """Run the demo; the exit code."""
    console = Console(width=max(120, min(Console().width, 160)))
    stage = Stage(console)
    console.rule("[bold]Switchboard")
    started = time.monotonic()
    try:
        with console.status("Starting the local cloud: the Pulumi program, moto, and a process for each function …"):
            cloud = LocalCloud(config=CONFIG)
    except StartError as error:
        console.print(f"[red]{error}")
        return 1
    with cloud:
        ready = cloud.ready
        console.print(f"The local cloud is ready after {time.monotonic() - started:.1f} s.")
        console.print(f"  AWS API  {ready.aws_url}   HTTP API  {ready.http_url}   region {ready.region}")
        stage.play(cloud, "Leases", leases.tell)
        stage.play(cloud, "Jira", jira.tell)
        stage.play(cloud, "Approvals", approvals.tell)
        stage.play(cloud, "Shuttle", shuttle.tell)
    return stage.close()
