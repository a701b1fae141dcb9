"""The floor: a bare boto3 client that makes the AWS calls of another program and does nothing else.

No signature is checked, nothing is read, decided or logged. A function that makes no call leaves boto3 out.
"""

import calls


def lambda_handler(event, context):
    """Make the calls."""
    calls.make()
    return {"statusCode": 202, "headers": {"Content-Type": "application/json"}, "body": "{}", "isBase64Encoded": False}
