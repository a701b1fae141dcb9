"""The routes of a shop itself: its settings, usage and schemas."""

from itertools import islice

import flask
from flask import request

from lib.platform import clock, errors
from lib.shuttle import api_json
from lib.shuttle.api.services import Services, body
from lib.shuttle.repository import Repository

MAX_VERSIONS = 100
"""The most versions of a schema that are returned, the newest first."""


class ShopViews:
    """Shops, usage and schemas."""

    routes = (
        ("GET", "", "show_shop"),
        ("PUT", "", "put_shop"),
        ("GET", "/usage", "show_usage"),
        ("GET", "/schema", "show_schema"),
        ("PUT", "/schema", "put_schema"),
        ("GET", "/schema/versions", "show_versions"),
    )

    def __init__(self, services: Services) -> None:
        self._services = services

    def show_shop(self, domain: str) -> flask.Response:
        """The shop."""
        return flask.jsonify(shop=api_json.shop_to_json(self._services.access(domain).repository.shop(domain)))

    def put_shop(self, domain: str) -> flask.Response:
        """Install a shop, or change its plan, billing state, settings and feature limits. For operators, not for shops."""
        shop = api_json.read_shop(domain, body(), clock.utc_now())
        registry = self._services.access(domain).registry
        installed = registry.install(shop)
        stored = shop if installed else registry.reconfigure(shop)
        return flask.jsonify(shop=api_json.shop_to_json(stored), installed=installed)

    def show_usage(self, domain: str) -> flask.Response:
        """Usage by day, and by the months of these days."""
        repository = self._services.access(domain).repository
        first, last = api_json.read_days(request.args.get("from"), request.args.get("to"), clock.utc_now().date())
        months = repository.monthly_usage(domain, f"{first:%Y-%m}", f"{last:%Y-%m}")
        return flask.jsonify(
            days=[api_json.to_json(day) for day in repository.daily_usage(domain, first, last)],
            months=[api_json.to_json(month) for month in months],
        )

    def show_schema(self, domain: str) -> flask.Response:
        """The current schema of the shop's files."""
        return flask.jsonify(schema=api_json.schema_to_json(self._services.access(domain).repository.current_schema(domain)))

    def put_schema(self, domain: str) -> flask.Response:
        """Make a new version of the schema the current one."""
        access = self._services.access(domain)
        order = api_json.read_schema(body())
        replaces = _current_version(access.repository, domain) if order.replaces is None else order.replaces
        schema = access.registry.save_schema(
            domain, order.columns, replaces, key_columns=order.key_columns, status_column=order.status_column
        )
        return flask.jsonify(schema=api_json.schema_to_json(schema))

    def show_versions(self, domain: str) -> flask.Response:
        """The versions of the schema, newest first."""
        history = self._services.access(domain).repository.schema_history(domain, page_size=MAX_VERSIONS)
        return flask.jsonify(versions=[api_json.schema_to_json(schema) for schema in islice(history, MAX_VERSIONS)])


def _current_version(repository: Repository, domain: str) -> int:
    try:
        return repository.current_schema(domain).version
    except errors.NotFoundError:
        return 0
