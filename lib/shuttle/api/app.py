"""The routes of the app itself, below ``/shuttle``: sessions by their id, and settings of the app."""

import flask

from lib.platform import clock
from lib.shuttle import api_json, keys
from lib.shuttle.api.services import Services, body
from lib.shuttle.registry import Registry
from lib.shuttle.repository import Repository
from lib.shuttle.tenancy import PartitionClient


class AppViews:
    """Sessions and settings. The values of a session are secrets: only ``show_session`` returns them.

    Each request uses a client that can reach only its session or the settings.
    """

    routes = (
        ("PUT", "/sessions/<session_id>", "put_session"),
        ("GET", "/sessions/<session_id>", "show_session"),
        ("DELETE", "/sessions/<session_id>", "delete_session"),
        ("GET", "/config/<name>", "show_config"),
    )

    def __init__(self, services: Services) -> None:
        self._services = services

    def put_session(self, session_id: str) -> flask.Response:
        """Store a session of a shop, replacing an earlier one with its id. It lasts 24 hours or a year, by its kind."""
        session = api_json.read_session(session_id, body(), clock.utc_now())
        client = self._client(session.key().pk, keys.shop_partition(session.shop_domain))
        Registry(client, self._services.table_name).save_session(session)
        return flask.jsonify(session=api_json.session_to_json(session))

    def show_session(self, session_id: str) -> flask.Response:
        """A session with its values."""
        client = self._client(keys.session(session_id).pk)
        session = Repository(client, self._services.table_name).session(session_id)
        response = flask.jsonify(session=api_json.to_json(session))
        response.headers["Cache-Control"] = "no-store"
        return response

    def delete_session(self, session_id: str) -> flask.Response:
        """Delete a session, if there is one."""
        client = self._client(keys.session(session_id).pk)
        return flask.jsonify(deleted=Registry(client, self._services.table_name).delete_session(session_id))

    def show_config(self, name: str) -> flask.Response:
        """Settings of the app."""
        repository = Repository(self._client(keys.APP_PARTITION), self._services.table_name)
        return flask.jsonify(config=api_json.to_json(repository.app_config(name)))

    def _client(self, *partitions: str) -> PartitionClient:
        return PartitionClient(self._services.dynamodb, self._services.table_name, partitions)
