"""A batch of the job queue: S3's events about uploaded files, each of which starts the import of its job."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote_plus

from lib.platform import clock, contract, errors, fields, metrics
from lib.platform.log import Logger
from lib.platform.sqs_batch import Record
from lib.shuttle import keys
from lib.shuttle.imports.worker import Importer
from lib.shuttle.jobs.lifecycle import JobBusyError


def run(messages: Sequence[Record], importer: Importer, seconds_left: Callable[[], float], logger: Logger) -> dict[str, Any]:
    """Run the imports whose files ``messages`` announce; the answer names the messages that SQS delivers again."""
    failed = [message.id for message in messages if not _has_run(message, importer, seconds_left, logger)]
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}


def _has_run(message: Record, importer: Importer, seconds_left: Callable[[], float], logger: Logger) -> bool:
    try:
        for domain, job_id in read_uploads(message.body):
            _run_import(domain, job_id, importer, seconds_left, logger)
    except JobBusyError as error:
        logger.warning("import_busy", reason=str(error))
        return False
    except errors.SwitchboardError as error:
        logger.error("import_failed", error)
    except Exception as error:  # an internal error: the message ends in the dead-letter queue, and the other messages are run
        logger.defect("import_failed", error)
    else:
        return True
    metrics.count(contract.IMPORT_FAILED)
    return False


def read_uploads(body: str) -> list[tuple[str, str]]:
    """The shop domains and ids of the jobs whose files an S3 event announces.

    S3's test event, sent when the notifications are set up, announces none.

    Raises:
        InvalidInputError: the message is not an event of the import bucket.
    """
    event = fields.read_object(body, "the message")
    if event.get("Event") == "s3:TestEvent":
        return []
    try:
        names = [unquote_plus(record["s3"]["object"]["key"]) for record in event["Records"]]
    except (KeyError, TypeError, AttributeError):  # AttributeError: a key that is not a text
        raise errors.InvalidInputError("the message is not an event of the import bucket") from None
    return [keys.parse_upload_object(name) for name in names]


def _run_import(domain: str, job_id: str, importer: Importer, seconds_left: Callable[[], float], logger: Logger) -> None:
    started = clock.monotonic()
    status = importer.run(domain, job_id, seconds_left)
    seconds = clock.monotonic() - started
    metrics.count(contract.IMPORT_RUN, status=status.value)
    metrics.milliseconds(contract.IMPORT_DURATION_MS, seconds * 1000)
    logger.info("import_run", shop_domain=domain, job_id=job_id, status=status.value, seconds=round(seconds, 3))
