"""What AWS charges: one table, with its date. No free tier, no discount, no data transfer out.

The prices were written down from knowledge of the price lists, not fetched: AWS's pages fill in their numbers by script. Each
price names the page that decides, and a published guide that states the same if one was found. Change :data:`AS_OF` with a
price, and write docs/reference/costs.md again (``python -m handlers.cli costs --document``).
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

AS_OF = date(2025, 6, 1)
REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Price:
    """``dollars`` for ``per`` of ``unit``.

    Attributes:
        source: AWS's page, which decides.
        seen: another page that states the same price; empty if none was found.
    """

    dollars: float
    per: int
    unit: str
    source: str
    seen: str = ""


_DYNAMODB = "https://aws.amazon.com/dynamodb/pricing/on-demand/"
_LAMBDA = "https://aws.amazon.com/lambda/pricing/"
_S3 = "https://aws.amazon.com/s3/pricing/"
_CLOUDWATCH = "https://aws.amazon.com/cloudwatch/pricing/"


class Meter(enum.StrEnum):
    """What is counted and charged."""

    DYNAMODB_WRITE = "DynamoDB write units"
    DYNAMODB_READ = "DynamoDB read units"
    DYNAMODB_STORAGE = "DynamoDB storage"
    DYNAMODB_BACKUP = "DynamoDB backup (PITR)"
    LAMBDA_REQUEST = "Lambda requests"
    LAMBDA_DURATION = "Lambda duration, arm64"
    LAMBDA_DISK = "Lambda ephemeral storage"
    API_REQUEST = "HTTP API requests"
    SQS_REQUEST = "SQS requests"
    EVENT = "EventBridge events"
    SNS_PUBLISH = "SNS publishes"
    S3_STORAGE = "S3 storage"
    S3_GLACIER = "S3 Glacier Flexible"
    S3_WRITE = "S3 writes"
    S3_READ = "S3 reads"
    S3_TRANSITION = "S3 transitions to Glacier"
    LOG_INTAKE = "CloudWatch log intake"
    LOG_STORAGE = "CloudWatch log storage"
    ALARM = "CloudWatch alarms"
    SECRET = "Secrets Manager secrets"  # noqa: S105 - a name


_MILLION = 1_000_000

_SEEN_DYNAMODB = "https://airbyte.com/data-engineering-resources/dynamodb-pricing"
_SEEN_LAMBDA = "https://cloudchipr.com/blog/aws-lambda-pricing"
_SEEN_API = "https://awsforengineers.com/blog/aws-api-gateway-pricing-explained"
_SEEN_SQS = "https://cloudburn.io/blog/amazon-sqs-pricing"
_SEEN_EVENTS = "https://cloudburn.io/blog/amazon-eventbridge-pricing"
_SEEN_S3 = "https://go-cloud.io/?p=10624"
_SEEN_LOGS = "https://www.factualminds.com/blog/amazon-cloudwatch-pricing-metrics-logs-alarms-dashboards/"
_SEEN_SECRETS = "https://techoral.com/aws/aws-parameter-store-vs-secrets.html"

PRICES: Mapping[Meter, Price] = {
    Meter.DYNAMODB_WRITE: Price(0.625, _MILLION, "units", _DYNAMODB, _SEEN_DYNAMODB),
    Meter.DYNAMODB_READ: Price(0.125, _MILLION, "units", _DYNAMODB, _SEEN_DYNAMODB),
    Meter.DYNAMODB_STORAGE: Price(0.25, 1, "GB-month", _DYNAMODB, "https://aws.amazon.com/dynamodb/pricing/"),
    Meter.DYNAMODB_BACKUP: Price(0.20, 1, "GB-month", _DYNAMODB),
    Meter.LAMBDA_REQUEST: Price(0.20, _MILLION, "requests", _LAMBDA),
    Meter.LAMBDA_DURATION: Price(0.0000133334, 1, "GB-seconds", _LAMBDA, _SEEN_LAMBDA),
    Meter.LAMBDA_DISK: Price(0.0000000309, 1, "GB-seconds", _LAMBDA),
    Meter.API_REQUEST: Price(1.00, _MILLION, "requests", "https://aws.amazon.com/api-gateway/pricing/", _SEEN_API),
    Meter.SQS_REQUEST: Price(0.40, _MILLION, "requests", "https://aws.amazon.com/sqs/pricing/", _SEEN_SQS),
    Meter.EVENT: Price(1.00, _MILLION, "events", "https://aws.amazon.com/eventbridge/pricing/", _SEEN_EVENTS),
    Meter.SNS_PUBLISH: Price(0.50, _MILLION, "publishes", "https://aws.amazon.com/sns/pricing/"),
    Meter.S3_STORAGE: Price(0.023, 1, "GB-month", _S3, _SEEN_S3),
    Meter.S3_GLACIER: Price(0.0036, 1, "GB-month", _S3),
    Meter.S3_WRITE: Price(0.005, 1000, "requests", _S3),
    Meter.S3_READ: Price(0.0004, 1000, "requests", _S3),
    Meter.S3_TRANSITION: Price(0.03, 1000, "requests", _S3),
    Meter.LOG_INTAKE: Price(0.50, 1, "GB", _CLOUDWATCH, _SEEN_LOGS),
    Meter.LOG_STORAGE: Price(0.03, 1, "GB-month", _CLOUDWATCH),
    Meter.ALARM: Price(0.10, 1, "alarms", _CLOUDWATCH),
    Meter.SECRET: Price(0.40, 1, "secrets", "https://aws.amazon.com/secrets-manager/pricing/", _SEEN_SECRETS),
}
