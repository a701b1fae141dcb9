"""What AWS charges: one table, with the date it was taken. No free tier, no discount, no data transfer out.

Change a price and :data:`AS_OF` together, and write docs/costs.md anew (``shuttle costs --document``).
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

AS_OF = date(2025, 6, 1)
REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Price:
    """``dollars`` for ``per`` of ``unit``."""

    dollars: float
    per: int
    unit: str
    source: str


_DYNAMODB = "https://aws.amazon.com/dynamodb/pricing/on-demand/"
_LAMBDA = "https://aws.amazon.com/lambda/pricing/"
_S3 = "https://aws.amazon.com/s3/pricing/"
_CLOUDWATCH = "https://aws.amazon.com/cloudwatch/pricing/"


class Meter(enum.StrEnum):
    """What is counted and charged."""

    DYNAMODB_WRITE = "DynamoDB write units"
    DYNAMODB_READ = "DynamoDB read units"
    DYNAMODB_STORAGE = "DynamoDB storage"
    DYNAMODB_BACKUP = "DynamoDB point-in-time recovery"
    LAMBDA_REQUEST = "Lambda requests"
    LAMBDA_DURATION = "Lambda duration, arm64"
    API_REQUEST = "HTTP API requests"
    SQS_REQUEST = "SQS requests"
    EVENT = "EventBridge events"
    SNS_PUBLISH = "SNS publishes"
    S3_STORAGE = "S3 storage"
    S3_GLACIER = "S3 Glacier Flexible storage"
    S3_WRITE = "S3 writes"
    S3_READ = "S3 reads"
    LOG_INTAKE = "CloudWatch log intake"
    LOG_STORAGE = "CloudWatch log storage"
    SECRET = "Secrets Manager secrets"  # noqa: S105 - a name


_MILLION = 1_000_000

PRICES: Mapping[Meter, Price] = {
    Meter.DYNAMODB_WRITE: Price(0.625, _MILLION, "units", _DYNAMODB),
    Meter.DYNAMODB_READ: Price(0.125, _MILLION, "units", _DYNAMODB),
    Meter.DYNAMODB_STORAGE: Price(0.25, 1, "GB-month", _DYNAMODB),
    Meter.DYNAMODB_BACKUP: Price(0.20, 1, "GB-month", _DYNAMODB),
    Meter.LAMBDA_REQUEST: Price(0.20, _MILLION, "requests", _LAMBDA),
    Meter.LAMBDA_DURATION: Price(0.0000133334, 1, "GB-seconds", _LAMBDA),
    Meter.API_REQUEST: Price(1.00, _MILLION, "requests", "https://aws.amazon.com/api-gateway/pricing/"),
    Meter.SQS_REQUEST: Price(0.40, _MILLION, "requests", "https://aws.amazon.com/sqs/pricing/"),
    Meter.EVENT: Price(1.00, _MILLION, "events", "https://aws.amazon.com/eventbridge/pricing/"),
    Meter.SNS_PUBLISH: Price(0.50, _MILLION, "publishes", "https://aws.amazon.com/sns/pricing/"),
    Meter.S3_STORAGE: Price(0.023, 1, "GB-month", _S3),
    Meter.S3_GLACIER: Price(0.0036, 1, "GB-month", _S3),
    Meter.S3_WRITE: Price(0.005, 1000, "requests", _S3),
    Meter.S3_READ: Price(0.0004, 1000, "requests", _S3),
    Meter.LOG_INTAKE: Price(0.50, 1, "GB", _CLOUDWATCH),
    Meter.LOG_STORAGE: Price(0.03, 1, "GB-month", _CLOUDWATCH),
    Meter.SECRET: Price(0.40, 1, "secrets", "https://aws.amazon.com/secrets-manager/pricing/"),
}
