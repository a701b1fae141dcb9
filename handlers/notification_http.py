"""``POST /events``: a lease event over HTTP, for senders outside EventBridge.

It checks the signature over the raw body before anything reads it, then hands the event to what handles EventBridge's.
Imported only by a function that is called over HTTP, since it brings Flask.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import flask

from lib.platform.log import Logger
from lib.platform.secrets import Secret
from lib.web import application, signatures

if TYPE_CHECKING:
    from handlers.notification import Ignored, Notification


def make_app(process: Callable[[object, str, str], "Notification | Ignored"], secret: Secret, logger: Logger) -> flask.Flask:
    """Make the application.

    Args:
        process: handles the event, given also the ids of the invocation and of the request.
        secret: signs the bodies; with none set every request is answered 401.
        logger: of the function.
    """
    app = application.make_app("notification", logger)

    @app.post("/events")
    def events() -> tuple[flask.Response, int]:
        body = flask.request.get_data()
        # Flask writes every header's name in title case, as the signature headers are written.
        signatures.verify_webhook(dict(flask.request.headers), body, secret)
        answer = process(application.json_body(body), application.run_id(), application.correlation_id())
        return flask.jsonify(status=answer.status, **answer.as_json()), 202

    return app
