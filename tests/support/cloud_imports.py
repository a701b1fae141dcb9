"""What every local cloud imports and reads from files, for the process that forks them (``cloud_forks.py``)."""

import gc
import importlib
from typing import Any

from moto import backends
from moto.core.utils import get_service_model

from stack.local.zygote import keep_models

_MODULES = ("stack.__main__", "stack.local.cloud", "stack.local.console", "stack.local.summary")
_SERVICES: tuple[Any, ...] = (
    "apigatewayv2",
    "cloudwatch",
    "dynamodb",
    "events",
    "iam",
    "lambda",
    "logs",
    "s3",
    "scheduler",
    "secretsmanager",
    "sns",
    "sqs",
    "sts",
)

for _module in _MODULES:
    importlib.import_module(_module)
keep_models(_SERVICES)
backends.get_backend("apigateway")  # moto asks it before apigatewayv2, and its import takes longest
for _service in _SERVICES:
    backends.get_backend(_service)
    get_service_model(_service)
gc.freeze()  # a collection in a fork would copy all of it
