"""Deletes the objects of catalogue versions that are no longer kept."""

from datetime import timedelta

from lib.platform import clock
from lib.shuttle import keys
from lib.shuttle.catalogue.store import CatalogueStore
from lib.shuttle.imports.files import PrunableObjects

#: An object without a row may belong to an import that has not committed yet. No import runs this long.
UNUSED_AFTER = timedelta(days=1)


def prune(catalogues: CatalogueStore, objects: PrunableObjects, domain: str, now: clock.Clock = clock.utc_now) -> int:
    """Delete the objects of a shop's catalogue that no version refers to. Returns how many.

    Raises:
        SwitchboardError: the table or the bucket can't be reached or refuses. What is left is deleted by the next call.
    """
    before = now() - UNUSED_AFTER
    old = [each.key for each in objects.list(keys.catalogue_prefix(domain)) if each.modified_at < before]
    if not old:
        return 0
    current = catalogues.current(domain)
    needed = catalogues.needed_objects(domain)
    if needed is None or catalogues.current(domain) != current:
        return 0  # an object may have moved from a row that was not read yet to one that was read before
    unused = sorted(set(old) - needed)
    for key in unused:
        objects.delete(key)
    return len(unused)
