"""Records the AWS calls that a function of Switchboard makes for its first and its next event: what the floor makes.

python -m tests.bench.speed.record handlers.webhooks first.json next.json > calls.json
"""

import base64
import contextlib
import copy
import importlib
import json
import sys
from pathlib import Path
from typing import Any

from lib.platform import aws
from tests.support.aws.lambda_context import LambdaContext


def main(module: str, *events: str) -> None:
    """Handle the events and write the calls of each: service, method, parameters."""
    rounds: list[list[tuple[str, str, dict[str, Any]]]] = []

    def remember(params: dict[str, Any], model: Any, **_: Any) -> None:
        from botocore import xform_name

        rounds[-1].append((model.service_model.service_name, xform_name(model.name), copy.deepcopy(params)))

    aws._session(False).register("before-parameter-build", remember)
    with contextlib.redirect_stdout(sys.stderr):
        handler = importlib.import_module(module).lambda_handler
        for event in events:
            rounds.append([])
            handler(json.loads(Path(event).read_bytes()), LambdaContext())
    print(json.dumps(rounds, default=_as_json))


def _as_json(value: Any) -> Any:
    """Bytes (a compressed snapshot) for calls.py, and the text of what goes to S3, which botocore makes a file of."""
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value.read().decode()


if __name__ == "__main__":
    main(*sys.argv[1:])
