"""Moves a shop from one version of its catalogue to the next, in one transaction each, and finds the versions.

::

    import A ─┐  current 7    both merge their rows with version 7
    import B ─┘
    A: finish ─► job COMPLETED, current 7 → 8, row of version 7, event       written
    B: finish ─► "current is 7" does not hold                                CatalogueMovedError: nothing written
    B: merges with version 8 ─► finish ─► current 8 → 9                      written

A version's object is written before the transaction and never changed, so until the transaction the former version is the
current one, whole. An import's transaction is that of :meth:`lib.shuttle.jobs.lifecycle.Jobs.finish`, to which
:func:`replacing` gives the statements; a rollback makes its own.
"""

import time
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from lib.platform import clock, errors
from lib.platform.dynamodb import Check, Condition, Delete, Put, Statement, Table, number
from lib.shuttle import entities, items, keys
from lib.shuttle.catalogue import events
from lib.shuttle.catalogue.versions import VERSIONS_KEPT, Catalogue, PendingEvent, ReplacedCatalogue
from lib.shuttle.items import ABSENT
from lib.shuttle.repository import Repository

#: How often a rollback is tried while imports replace the current version.
ROLLBACK_TRIES = 5


def replacing(base: Catalogue | None, new: Catalogue) -> list[Statement]:
    """The statements that make ``new`` the current version if ``base`` still is; None if there is none."""
    statements: list[Statement] = [Put(item=entities.to_item(new), condition=_is_current(base))]
    if base is not None:
        statements.append(Put(item=entities.to_item(ReplacedCatalogue.of(base, new.made_at))))
    if new.version > VERSIONS_KEPT:
        statements.append(Delete(key=keys.catalogue_version(new.shop_domain, new.version - VERSIONS_KEPT).attributes()))
    return statements


class CatalogueStore:
    """Finds the versions of catalogues and restores them.

    Every method raises a SwitchboardError if the table can't be reached or refuses.

    Args:
        client: a DynamoDB client, or a tenant's (:mod:`lib.shuttle.tenancy`).
        table_name: the Shuttle table.
        now: the clock.
        sleep: waits between tries of a transaction that conflicts with another.
    """

    def __init__(
        self,
        client: Any,
        table_name: str,
        now: clock.Clock = clock.utc_now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._table = Table(client, table_name, sleep=sleep)
        self._repository = Repository(client, table_name, now)
        self._now = now

    def current(self, domain: str) -> Catalogue | None:
        """The current version; None if no import has made one."""
        try:
            return self._repository.catalogue(domain)
        except errors.NotFoundError:
            return None

    def version(self, domain: str, version: int) -> Catalogue:
        """A version that is still kept, which may be the current one.

        Raises:
            NotFoundError: it is no longer kept, or never existed.
        """
        return self._version(self.current(domain), domain, version)

    def versions(self, domain: str) -> Iterator[Catalogue]:
        """The versions that are kept, the current one first."""
        current = self.current(domain)
        if current is None:
            return iter(())
        # The current version may have been replaced since it was read.
        older = (row for row in self._repository.catalogue_history(domain) if row.version < current.version)
        return chain([current], older)

    def needed_objects(self, domain: str) -> set[str] | None:
        """The objects of all versions that can be read or restored; None if the rows are changing at the moment.

        A Query may show one part of a transaction and not yet the other. So the current version is read first: whatever became
        of it later, the row of the version before it must be there.
        """
        current = self._repository.catalogue(domain)
        replaced = {row.version: row.object_key for row in self._repository.catalogue_rows(domain)}
        if current.version > 1 and current.version - 1 not in replaced:
            return None
        return {current.object_key, *replaced.values()}

    def rollback(self, domain: str, version: int) -> tuple[Catalogue, PendingEvent | None]:
        """Make a new version with the rows of an older one, and the event about it, stored to be published.

        If the current version has these rows already, it is returned, without an event: a repeat changes nothing.

        Raises:
            NotFoundError: the shop has no catalogue, or the version is no longer kept or never existed.
            UnavailableError: imports replaced the current version at each try.
        """
        lost: errors.SwitchboardError | None = None
        for _ in range(ROLLBACK_TRIES):
            current = self._repository.catalogue(domain)
            wanted = self._version(current, domain, version)
            if current.object_key == wanted.object_key:
                return current, None
            restored = wanted.restored(current, self._now())
            event = events.rolled_back(current, restored)
            try:
                if not self._table.transact(_restoring(current, restored, wanted, event), "roll the catalogue back"):
                    return restored, event
            except errors.AmbiguousError as error:
                lost = error  # the next try sees whether it was written
        raise lost or errors.UnavailableError("imports replaced the catalogue at the same time: try again")

    def _version(self, current: Catalogue | None, domain: str, version: int) -> Catalogue:
        if current is not None and current.version == version:
            return current
        try:
            return self._repository.replaced_catalogue(domain, version)
        except errors.NotFoundError:
            raise errors.NotFoundError(
                f"version {version} of the catalogue of {domain} does not exist or is no longer kept"
            ) from None


def _restoring(current: Catalogue, restored: Catalogue, wanted: Catalogue, event: PendingEvent) -> list[Statement]:
    """As :func:`replacing`, if the row of ``wanted`` is still there: while it is, pruning does not delete its object."""
    row = wanted.key().attributes()
    is_kept = Condition(
        expression=f"attribute_exists(#PK) AND #{items.TTL_ATTRIBUTE} > :now",
        values={":now": items.ttl_attribute(restored.made_at)},
    )
    is_oldest = wanted.version == restored.version - VERSIONS_KEPT
    last: Statement = Delete(key=row, condition=is_kept) if is_oldest else Check(key=row, condition=is_kept)
    # A transaction names a row once.
    rest = [each for each in replacing(current, restored) if isinstance(each, Put) or each.key != row]
    return [*rest, last, events.statement(event)]


def _is_current(base: Catalogue | None) -> Condition:
    if base is None:
        return ABSENT
    return Condition(expression="#Version = :base", values={":base": number(base.version)})
