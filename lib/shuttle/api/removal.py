"""The routes that list and delete a shop's sessions, and that remove a shop."""

from collections.abc import Callable
from itertools import islice

import flask

from lib.platform import clock
from lib.shuttle import api_json
from lib.shuttle.api.services import Services

REMOVAL_SECONDS = 15
"""A request deletes for at most this time. API Gateway waits 30 seconds for an answer."""
MAX_SESSIONS = 1000
"""The most sessions that are returned; those that end first come first."""


class RemovalViews:
    """Sessions of a shop, and the end of a shop."""

    routes = (
        ("DELETE", "", "remove_shop"),
        ("GET", "/sessions", "list_sessions"),
        ("DELETE", "/sessions", "delete_sessions"),
    )

    def __init__(self, services: Services) -> None:
        self._services = services

    def remove_shop(self, domain: str) -> flask.Response:
        """Remove the shop with all its data, as much as one request has time for. For operators, not for shops."""
        report = api_json.to_json(self._services.access(domain).removal.run(self._services.objects(), _deadline()))
        self._services.logger.info("shop_removal", shop_domain=domain, **report)
        is_complete = report.pop("complete")
        return flask.jsonify(removed=report, complete=is_complete)

    def list_sessions(self, domain: str) -> flask.Response:
        """The sessions of the shop, without their values."""
        found = islice(self._services.access(domain).repository.sessions(domain), MAX_SESSIONS)
        return flask.jsonify(sessions=[api_json.session_to_json(session) for session in found])

    def delete_sessions(self, domain: str) -> flask.Response:
        """Delete the sessions of the shop, as many as one request has time for."""
        deleted, is_complete = self._services.access(domain).removal.delete_sessions(_deadline())
        self._services.logger.info("sessions_deleted", shop_domain=domain, sessions=deleted, complete=is_complete)
        return flask.jsonify(removed={"sessions": deleted}, complete=is_complete)


def _deadline() -> Callable[[], bool]:
    """A function that says whether a request that begins now may still delete."""
    end = clock.monotonic() + REMOVAL_SECONDS
    return lambda: clock.monotonic() < end
