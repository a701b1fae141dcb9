"""All routes of Shuttle's HTTP API."""

import flask

from lib.shuttle.api.app import AppViews
from lib.shuttle.api.catalogue import CatalogueViews
from lib.shuttle.api.jobs import JobViews
from lib.shuttle.api.removal import RemovalViews
from lib.shuttle.api.services import Services, make_blueprint
from lib.shuttle.api.shops import ShopViews


def shuttle_blueprint(services: Services) -> flask.Blueprint:
    """The routes, for a Flask application."""
    of_shops = (ShopViews(services), JobViews(services), CatalogueViews(services), RemovalViews(services))
    return make_blueprint(of_shops, (AppViews(services),))
