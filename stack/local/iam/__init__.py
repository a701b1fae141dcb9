"""Least privilege in the local cloud: who calls, what the call needs, whether the caller's policies grant it.

::

    guard.py       one request of the AWS API: finds the caller, refuses what is not granted, notes what was used
      callers.py     whose an access key is, and the policies of that role
      tables.py      how a table is keyed, for ``dynamodb:LeadingKeys``
      needs.py       a request -> the (action, resource) pairs it needs; needs_s3.py and needs_dynamodb.py for theirs
      policy.py      policies, and what they say of one pair (pure); conditions.py for ``Condition``
      refusals.py    AccessDenied as each service words it
    services.py    the AWS services that act for themselves: may EventBridge, API Gateway and S3 do what they are about to?
    ledger.py      every grant, how often it was used, and what was refused

The decision why none of this is a library's is docs/adr/0009.
"""

from stack.local.iam.conditions import PolicyError
from stack.local.iam.guard import Guard
from stack.local.iam.ledger import Ledger
from stack.local.iam.services import Services

__all__ = ["Guard", "Ledger", "PolicyError", "Services"]
