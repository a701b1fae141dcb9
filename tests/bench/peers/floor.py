"""The floor: a bare boto3 client that makes the AWS calls of another program and does nothing else.

The calls are those that Switchboard's own function made for the same event, recorded before (record.py). No signature is
checked, nothing is read, decided or logged.
"""

import json
import os

import boto3

with open(os.environ["FLOOR_CALLS"], encoding="utf-8") as recorded:
    _first, _later = json.load(recorded)
_clients = {service: boto3.client(service) for service, _, _ in _first}
_rounds = iter([_first])


def lambda_handler(event, context):
    """Make the calls."""
    for service, operation, parameters in next(_rounds, _later):
        getattr(_clients[service], operation)(**parameters)
    return {"statusCode": 202, "headers": {"Content-Type": "application/json"}, "body": "{}", "isBase64Encoded": False}
