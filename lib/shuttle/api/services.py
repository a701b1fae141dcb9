"""The clients and services of the routes, and the blueprint that collects the routes of all topics."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import flask
from flask import request

from lib.platform.log import Logger
from lib.shuttle.catalogue.store import CatalogueStore
from lib.shuttle.catalogue.versions import PendingEvent
from lib.shuttle.imports.uploads import Uploads
from lib.shuttle.jobs.lifecycle import Jobs
from lib.shuttle.jobs.messages import JobQueue
from lib.shuttle.registry import Registry
from lib.shuttle.removal import Removal, ShopObjects
from lib.shuttle.repository import Repository
from lib.shuttle.tenancy import TenantClient
from lib.web import application

Route = tuple[str, str, str]
"""Method, path below that of all shops' or of the app's routes, and the name of the view."""


@dataclass(frozen=True, slots=True)
class ShopAccess:
    """Reads and writes one shop's rows, and no other's."""

    repository: Repository
    jobs: Jobs
    registry: Registry
    catalogue: CatalogueStore
    removal: Removal


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The clients and services that the views use.

    Attributes:
        dynamodb: a DynamoDB client.
        table_name: the Shuttle table.
        uploads: makes the links into the import bucket and out of it; called only by requests that need them.
        objects: deletes from the import bucket; called only by requests that need it.
        queue: the job queue; called only by requests that need it.
        publish: publishes a stored event.
        logger: of the function.
    """

    dynamodb: Any
    table_name: str
    uploads: Callable[[], Uploads]
    objects: Callable[[], ShopObjects]
    queue: Callable[[], JobQueue]
    publish: Callable[[PendingEvent], object]
    logger: Logger

    def access(self, domain: str) -> ShopAccess:
        """The rows of one shop."""
        client, table = TenantClient(self.dynamodb, self.table_name, domain), self.table_name
        return ShopAccess(
            Repository(client, table),
            Jobs(client, table),
            Registry(client, table),
            CatalogueStore(client, table),
            Removal(self.dynamodb, table, domain),
        )


class Views(Protocol):
    """The views of one topic."""

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes, each with the name of a method."""


def make_blueprint(of_shops: Iterable[Views], of_the_app: Iterable[Views]) -> flask.Blueprint:
    """The routes of each shop and of the app, for a Flask application."""
    blueprint = flask.Blueprint("shuttle", __name__, url_prefix="/shuttle")
    for views in of_the_app:
        for method, rule, view in views.routes:
            blueprint.add_url_rule(rule, view_func=getattr(views, view), methods=[method])
    for views in of_shops:
        for method, rule, view in views.routes:
            # A shop's grant begins with the slash after its domain; the shop itself is for operators. So the routes of the
            # shop match exactly this path, and not the one with a slash after it (docs/security.md, "Paths").
            is_strict = None if rule else True  # None: as the application says
            path, view_func = f"/shops/<domain>{rule}", getattr(views, view)
            blueprint.add_url_rule(path, view_func=view_func, methods=[method], strict_slashes=is_strict)
    return blueprint


def body() -> Any:
    """The JSON body of the request."""
    return application.json_body(request.get_data())
