"""A function behind a queue, with Powertools Batch."""

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from least_powertools import do, metrics

processor = BatchProcessor(event_type=EventType.SQS)


@metrics.log_metrics
def lambda_handler(event, context):
    """Work through a batch."""
    return process_partial_response(event=event, record_handler=do, processor=processor, context=context)
