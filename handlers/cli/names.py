"""``names``: the name of every resource as shell exports, with which the runbooks begin."""

import os
import re
import shlex

import click

from handlers.cli.deployment import Deployment
from handlers.cli.options import Find
from lib.platform import aws

_SUFFIX = re.compile(r"-[0-9a-f]{7}$")
"""What Pulumi appends to a logical name."""


@click.command()
@click.pass_obj
def names(find: Find) -> int:
    """Print the name of every resource as shell exports.

    eval "$(python -m handlers.cli names)" sets them in your shell; the commands of the runbooks use them. EP is the AWS CLI's
    option for the local cloud, and empty on AWS. It prints no secret.
    """
    deployment = find()
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    region = os.environ.get("AWS_DEFAULT_REGION", "")
    found = {
        "EP": f"--endpoint-url={endpoint}" if endpoint else "",
        **({"AWS_DEFAULT_REGION": region} if region else {}),
        **({**deployment.local, "AWS_PAGER": ""} if deployment.local else {}),
        **deployment.variables(),
        **_log_groups(deployment),
        **_queue_urls(deployment),
    }
    for name, value in found.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    return 0


def _log_groups(deployment: Deployment) -> dict[str, str]:
    functions = deployment.outputs.get("functions") or {}
    return {f"{entry_point.upper()}_LOG_GROUP": f"/aws/lambda/{name}" for entry_point, name in functions.items()}


def _queue_urls(deployment: Deployment) -> dict[str, str]:
    """The URL of each dead-letter queue, and of each work queue that feeds one."""
    sqs = deployment.client("sqs")
    found = {}
    for queues in (deployment.outputs.get("dead_letter_queues") or {}).values():
        for name in queues:
            with aws.translated(f"find the queue {name}"):
                url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
                sources = sqs.list_dead_letter_source_queues(QueueUrl=url).get("queueUrls") or []
            for each in (url, *sources):
                logical = _SUFFIX.sub("", each.rsplit("/", 1)[-1])
                found[f"{logical.replace('-', '_').upper()}_QUEUE_URL"] = each
    return found
