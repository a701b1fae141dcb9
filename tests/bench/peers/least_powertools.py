"""The least that a function with Powertools does: the calls, a log line, a metric. Also the scheduled function."""

import calls
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger()
metrics = Metrics()


def do(record=None):
    """Make the calls, and say so."""
    calls.make()
    metrics.add_metric(name="Done", unit=MetricUnit.Count, value=1)
    logger.info("done")
    return {"status": "ok"}


@metrics.log_metrics
def lambda_handler(event, context):
    """Do what is due."""
    return do()
