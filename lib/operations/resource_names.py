"""The name of every resource of a deployment, as the variables that the runbooks' commands use."""

import os

from lib.operations.deployed import Deployment, log_group, logical_name
from lib.operations.redrive import open_queues


def resource_names(deployed: Deployment) -> dict[str, str]:
    """The variables with their values; no secret. ``EP`` is the AWS CLI's option for the local cloud, and empty on AWS.

    Raises:
        SwitchboardError: the queues can't be read.
    """
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    region = os.environ.get("AWS_DEFAULT_REGION", "")
    return {
        "EP": f"--endpoint-url={endpoint}" if endpoint else "",
        **({"AWS_DEFAULT_REGION": region} if region else {}),
        **({**deployed.local, "AWS_PAGER": ""} if deployed.local else {}),
        **deployed.variables(),
        **{f"{entry_point.upper()}_LOG_GROUP": log_group(name) for entry_point, name in deployed.functions.items()},
        **_queue_urls(deployed),
    }


def _queue_urls(deployed: Deployment) -> dict[str, str]:
    """The URL of each dead-letter queue, and of each work queue that feeds one."""
    queues = [queue for _, queue in open_queues(deployed, deployed.dead_letter_queues())]
    urls = [url for queue in queues for url in (queue.url, queue.source_url) if url]
    return {f"{logical_name(url.rsplit('/', 1)[-1]).replace('-', '_').upper()}_QUEUE_URL": url for url in urls}
