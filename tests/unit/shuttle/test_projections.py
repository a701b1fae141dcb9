"""Each index of Shuttle projects what the summaries read through it hold, and nothing more."""

import dataclasses

import pytest

from lib.platform import contract
from lib.platform.contract import Index
from lib.shuttle import entities, items
from lib.shuttle.catalogue import versions
from lib.shuttle.jobs import job


@pytest.mark.parametrize(
    ("index", "summaries"),
    [
        (contract.GSI1, [entities.ShopSummary, job.JobSummary, versions.PendingEvent]),
        (contract.GSI2, [entities.ShopSummary, entities.UsageDaily, entities.UsageMonthly]),
        (contract.GSI3, [entities.SessionSummary]),
        (contract.JOB_STATUS_INDEX, [job.JobSummary]),
    ],
    ids=lambda value: value.name if isinstance(value, Index) else "",
)
def test_an_index_includes_what_is_read_through_it(index: Index, summaries: list[type]) -> None:
    read = {items.attribute_name(field.name) for summary in summaries for field in dataclasses.fields(summary)}

    assert set(index.includes) == read - {index.hash_key, index.range_key}
