"""Least privilege in the local cloud: who calls, what the call needs, whether the caller's policies grant it.

::

    guard.py       admits or refuses one request of the AWS API
      callers.py     the role of an access key, and its policies
      needs.py       a request -> the (action, resource) pairs it needs; needs_s3.py, needs_dynamodb.py and tables.py
      policy.py      policies, and their decision on one pair (pure); conditions.py for ``Condition``
      refusals.py    AccessDenied in the words of each service
    services.py    what EventBridge, API Gateway and S3 may do by the policies of resources
    ledger.py      every grant, its uses, and the refusals

docs/adr/0009 says why no library does this.
"""

from stack.local.iam.conditions import PolicyError
from stack.local.iam.guard import Guard
from stack.local.iam.ledger import Ledger
from stack.local.iam.services import Services

__all__ = ["Guard", "Ledger", "PolicyError", "Services"]
