"""Shuttle's access patterns of catalogues and events: the one request that each sends, and what it finds."""

from datetime import timedelta

import pytest

from lib.platform import errors
from lib.shuttle import ulids
from lib.shuttle.catalogue.versions import PendingEvent, ReplacedCatalogue
from tests.support.shuttle.builders import DOMAIN, NOON, OTHER, ShuttleTable
from tests.support.shuttle.catalogues import a_catalogue
from tests.support.shuttle.queries import a_job, a_query, put, sent

PARTITION = "SHOP#teapots.example.com"
CURRENT = a_catalogue(a_job(), version=3)
REPLACED = [ReplacedCatalogue.of(a_catalogue(a_job(), version=version), NOON) for version in (1, 2)]


def an_event(minutes_ago: int, domain: str = DOMAIN) -> PendingEvent:
    made = NOON - timedelta(minutes=minutes_ago)
    return PendingEvent(
        shop_domain=domain, event_id=ulids.new(made), detail_type="ImportCompleted", detail="{}", created_at=made
    )


def test_the_current_catalogue_is_one_get_item(shuttle_table: ShuttleTable) -> None:
    put(shuttle_table, CURRENT, *REPLACED)
    assert shuttle_table.repository.catalogue(DOMAIN) == CURRENT
    assert sent(shuttle_table, "get_item") == {
        "Key": {"PK": {"S": PARTITION}, "SK": {"S": "CATALOGUE"}},
        "ConsistentRead": True,
    }


def test_a_replaced_catalogue_is_one_get_item(shuttle_table: ShuttleTable) -> None:
    put(shuttle_table, CURRENT, *REPLACED)
    assert shuttle_table.repository.replaced_catalogue(DOMAIN, 2) == REPLACED[1]
    assert sent(shuttle_table, "get_item") == {
        "Key": {"PK": {"S": PARTITION}, "SK": {"S": "CATALOGUE#VERSION#000002"}},
        "ConsistentRead": True,
    }
    with pytest.raises(errors.NotFoundError):
        shuttle_table.repository.replaced_catalogue(DOMAIN, 3)


def test_replaced_catalogues_are_newest_first_without_the_current_one(shuttle_table: ShuttleTable) -> None:
    put(shuttle_table, CURRENT, *REPLACED)
    assert list(shuttle_table.repository.catalogue_history(DOMAIN)) == REPLACED[::-1]
    assert sent(shuttle_table, "query") == a_query(
        PARTITION, " AND begins_with(#sk, :sk)", {":sk": "CATALOGUE#VERSION#"}, ScanIndexForward=False
    )


def test_rows_of_replaced_catalogues_are_read_with_expired_ones(shuttle_table: ShuttleTable) -> None:
    put(shuttle_table, CURRENT, *REPLACED)
    shuttle_table.clock.advance(days=91)
    assert list(shuttle_table.repository.catalogue_history(DOMAIN)) == []
    shuttle_table.client.forget()
    assert list(shuttle_table.repository.catalogue_rows(DOMAIN)) == REPLACED
    assert sent(shuttle_table, "query") == {
        "KeyConditionExpression": "#pk = :pk AND begins_with(#sk, :sk)",
        "ExpressionAttributeNames": {"#pk": "PK", "#sk": "SK"},
        "ExpressionAttributeValues": {":pk": {"S": PARTITION}, ":sk": {"S": "CATALOGUE#VERSION#"}},
        "ScanIndexForward": True,
        "ConsistentRead": True,
    }


def test_pending_events_of_all_shops_are_oldest_first(shuttle_table: ShuttleTable) -> None:
    events = [an_event(9), an_event(5, OTHER), an_event(1)]
    put(shuttle_table, *events)
    assert list(shuttle_table.repository.pending_events(NOON - timedelta(minutes=5))) == events[:2]
    assert sent(shuttle_table, "query") == a_query(
        "EVENTS",
        " AND #sk BETWEEN :low AND :high",
        {":low": "1970-01-01T00:00:00.000000Z", ":high": "2026-01-22T11:55:00.000000Z\x7f"},
        IndexName="GSI1",
    )
