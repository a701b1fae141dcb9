"""What ``up`` prints for people when everything is ready."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stack.local.cloud import Ready


def summary(ready: "Ready", *, schedules: bool) -> str:
    """Where everything is, and what to try next."""
    aws = f"aws --endpoint-url {ready.aws_url} --region {ready.region}"
    runs = "run on their schedules" if schedules else "run when called (--schedules runs them too)"
    return "\n".join(
        [
            f"HTTP API   {ready.http_url}",
            f"AWS API    {ready.aws_url} in {ready.region}; access key and secret: test",
            f"Functions  {len(ready.outputs['functions'])} functions, which {runs}",
            "Try next:",
            f"  curl {ready.http_url}/health",
            f"  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test\n  {aws} sqs list-queues",
            "Ready. Press Ctrl-C to stop.",
        ]
    )
