"""``POST /events``: a lease event over HTTP, for senders outside of EventBridge.

The signature over the raw body is verified before the body is parsed. This module imports Flask, so only a function that
serves HTTP imports it.
"""

import flask

from lib.notifications.service import Notifier
from lib.platform.log import Logger
from lib.platform.secrets import Secret
from lib.web import application, signatures


def make_app(notifier: Notifier, secret: Secret, logger: Logger) -> flask.Flask:
    """Create the application. ``secret`` signs the bodies; without one, every request is answered 401."""
    app = application.make_app("notification", logger)

    @app.post("/events")
    def events() -> tuple[flask.Response, int]:
        body = flask.request.get_data()
        signatures.verify_webhook(dict(flask.request.headers), body, secret)
        answer = notifier.notify(application.json_body(body), application.run_id(), application.correlation_id())
        return flask.jsonify(status=answer.status, **answer.as_json()), 202

    return app
