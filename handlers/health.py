"""The health function: whether the way in is up. The public answer is cheap: it makes no AWS call and tells no secret."""

from typing import Any

import flask

from lib import clock, http, wsgi
from lib.environment import HealthEnvironment
from lib.log import Logger

_environment = HealthEnvironment.read()
_logger = Logger("health")
app = http.make_app("health", _logger)


@app.get("/health")
def health() -> flask.Response:
    """Answer that the function runs, which version it is, and the time in Phoenix."""
    return flask.jsonify(
        status="ok", version=_environment.version, time=clock.phoenix(clock.utc_now()), timezone=clock.TIMEZONE
    )


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer an HTTP request.

    Raises:
        InvalidInputError: the event is no HTTP request.
    """
    return wsgi.respond(app, event, context)
