"""The reconciliation function: makes the JiraIssues table match Jira, one project after another.

It runs on a schedule (every 15 minutes what changed, nightly everything) or for a person; lib/jira/reconciliation/requests.py
lists the forms of its event. When its time is nearly up it invokes itself with what is left::

    OPS ──► WEB (page 41 of …) ─ time is up ─► itself: WEB from its checkpoint ──► DEV

It fails only for an event that can't be read, and for a defect: lib/jira/reconciliation/run.py. Two runs at a time (the
schedule's and a person's) do no harm: the store keeps the later of two states whoever writes it, a watermark only goes forward,
and what one run has deleted the other finds deleted.
"""

from typing import Any

from lib.jira.reconciliation.requests import read_request
from lib.jira.reconciliation.result import Run
from lib.jira.reconciliation.run import make_runner
from lib.platform import aws, gc_tuning, invocation
from lib.platform.contract import live
from lib.platform.environment.reconciliation import ReconciliationEnvironment
from lib.platform.log import Logger
from lib.platform.secrets import Secret

_environment = ReconciliationEnvironment.read()
_logger = Logger("reconciliation")
_runner = make_runner(
    _environment,
    dynamodb=aws.make_client("dynamodb", read_timeout_seconds=aws.BATCH_READ_TIMEOUT_SECONDS),
    sqs=aws.make_client("sqs", read_timeout_seconds=5),
    get_s3=aws.lazy_client("s3", read_timeout_seconds=10),
    get_lambda=aws.lazy_client("lambda", read_timeout_seconds=10),
    api_token=Secret(aws.make_client("secretsmanager"), _environment.jira_api_token_arn),
    logger=_logger,
)


def lambda_handler(event: object, context: Any) -> dict[str, Any]:
    """Reconcile; returns the result of each project: ``{run_id, mode, dry_run, max_deletes, projects, refused,
    record}``.

    Raises:
        InvalidInputError: the event can't be read.
        SwitchboardError: a defect; the log has the stack trace.
    """
    with invocation.run(_logger, context) as run_id:
        request = read_request(event)
        _logger.start_run(run_id, correlation_id=request.run_id or run_id)
        # Whatever version this is, the next part runs on the one that is live then.
        following = live(str(context.function_name))
        run = Run(run_id, request, following, invocation.seconds_left(context))
        _runner.carry_out(run)
        return run.to_json()


gc_tuning.end()
