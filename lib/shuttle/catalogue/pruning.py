"""Deletes the objects of catalogue versions that are not kept any more."""

from datetime import timedelta

from lib.platform import clock
from lib.shuttle import keys
from lib.shuttle.catalogue.store import CatalogueStore
from lib.shuttle.imports.files import PrunableObjects

#: An object without a row may be that of an import that has not committed yet; none runs this long.
UNUSED_AFTER = timedelta(days=1)


def prune(catalogues: CatalogueStore, objects: PrunableObjects, domain: str, now: clock.Clock = clock.utc_now) -> int:
    """Delete the objects of a shop's catalogue that no version refers to; how many.

    Raises:
        SwitchboardError: the table or the bucket can't be reached or refuses. What is left is deleted by the next call.
    """
    before = now() - UNUSED_AFTER
    old = [each.key for each in objects.list(keys.catalogue_prefix(domain)) if each.modified_at < before]
    if not old:
        return 0
    versions = list(catalogues.versions(domain))
    if not versions or catalogues.current(domain) != versions[0]:
        return 0  # a version that moved from one row to another in the meantime may have been missed
    unused = set(old) - {version.object_key for version in versions}
    for key in sorted(unused):
        objects.delete(key)
    return len(unused)
