"""How releases before docs/adr/0033 and docs/adr/0034 stored issues, for benchmarks that compare with them."""

from dataclasses import replace
from typing import Any

from lib.jira import items, snapshot_codec
from lib.platform.contract import JIRA_ISSUES, PROJECT_INDEX, Index

Item = dict[str, dict[str, Any]]

BY_TIME = replace(
    JIRA_ISSUES,
    indexes=(
        PROJECT_INDEX,
        *(
            Index(name=index.name, hash_key=index.hash_key.removesuffix("_shard"), range_key="version_at")
            for index in JIRA_ISSUES.indexes
            if index != PROJECT_INDEX
        ),
    ),
)
"""JiraIssues with every issue of a status, assignee or fix version under one key, sorted by the time of the change."""


def by_time(item: Item) -> Item:
    """A row as it was before docs/adr/0034."""
    names = {"changed_hour", *(index.hash_key for index in JIRA_ISSUES.indexes if index != PROJECT_INDEX)}
    kept = {name: value for name, value in item.items() if name not in names}
    if item["updated_at"]["S"] == items.HEAD and "fix_versions" in item:
        kept["fix_version"] = item["fix_versions"]["L"][0]
    return kept


def plain(item: Item) -> Item:
    """A row as it was before docs/adr/0033."""
    kept = {name: value for name, value in by_time(item).items() if name != "snapshot"}
    return kept | {"raw": {"S": snapshot_codec.decode(item["snapshot"]["B"])}} if "snapshot" in item else kept
