"""The routes of a shop's catalogue."""

import flask

from lib.platform import errors
from lib.shuttle import api_json
from lib.shuttle.api.services import Services, body


class CatalogueViews:
    """The catalogue and its versions."""

    routes = (
        ("GET", "/catalogue", "show_catalogue"),
        ("GET", "/catalogue/versions", "show_catalogue_versions"),
        ("POST", "/catalogue/rollback", "roll_back"),
    )

    def __init__(self, services: Services) -> None:
        self._services = services

    def show_catalogue(self, domain: str) -> flask.Response:
        """The current version."""
        return flask.jsonify(catalogue=api_json.catalogue_to_json(self._services.access(domain).repository.catalogue(domain)))

    def show_catalogue_versions(self, domain: str) -> flask.Response:
        """The versions that are kept, newest first."""
        found = self._services.access(domain).catalogue.versions(domain)
        return flask.jsonify(versions=[api_json.catalogue_to_json(version) for version in found])

    def roll_back(self, domain: str) -> flask.Response:
        """Make a new version that equals an older one."""
        catalogue, event = self._services.access(domain).catalogue.rollback(domain, api_json.read_rollback(body()))
        if event is not None:
            self._services.logger.info("catalogue_rolled_back", shop_domain=domain, version=catalogue.version)
            try:
                self._services.publish(event)
            except errors.SwitchboardError as error:  # the event is stored, and the sweep publishes it
                self._services.logger.warning("event_not_published", shop_domain=domain, reason=str(error))
        return flask.jsonify(catalogue=api_json.catalogue_to_json(catalogue))
