"""The Shuttle table's indexes as the code reads them: the names and what each must project (docs/adr/0062).

The stack declares the same, and a test compares the two. Keys of the table and of the index itself are always projected and
not listed.
"""

from lib.shuttle import entities, items
from lib.shuttle.jobs import job

STATUS_INDEX = "StatusIndex"

_JOB = frozenset(items.attribute_names(job.JobSummary))
_SHOP = frozenset(items.attribute_names(entities.ShopSummary))
_USAGE = frozenset(items.attribute_names(entities.UsageDaily)) | frozenset(items.attribute_names(entities.UsageMonthly))
_SESSION = frozenset(items.attribute_names(entities.SessionSummary))

#: Index name -> its hash and range attribute.
INDEX_KEYS: dict[str, tuple[str, str]] = {
    "GSI1": ("GSI1PK", "GSI1SK"),
    "GSI2": ("GSI2PK", "GSI2SK"),
    "GSI3": ("GSI3PK", "GSI3SK"),
    STATUS_INDEX: ("ShopDomain", "Status"),
}

#: Index name -> the attributes it includes. DynamoDB allows 100 over all indexes of a table.
PROJECTIONS: dict[str, tuple[str, ...]] = {
    "GSI1": tuple(sorted(_SHOP | _JOB)),
    "GSI2": tuple(sorted(_SHOP | _USAGE)),
    "GSI3": tuple(sorted(_SESSION)),
    STATUS_INDEX: tuple(sorted(_JOB - set(INDEX_KEYS[STATUS_INDEX]))),
}
