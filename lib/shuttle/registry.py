"""Writes shops, schemas, sessions and settings of the app, each by one conditional write or one transaction.

Jobs are written by :mod:`lib.shuttle.jobs.lifecycle`.
"""

from typing import Any

from lib.platform import clock, errors
from lib.platform.dynamodb import Condition, Put, Table, Update, number
from lib.shuttle import entities, items, keys
from lib.shuttle.entities import AppConfig, BillingState, Column, Schema, Session, Shop, StatusColumn
from lib.shuttle.items import ABSENT, PRESENT
from lib.shuttle.jobs.plans import Plan


class SchemaChangedError(errors.InvalidInputError):
    """Another schema was saved in the meantime: read the current one and decide again."""

    code = "schema_changed"


class Registry:
    """Writes shops, schemas, sessions and settings.

    Every method raises a SwitchboardError if the table can't be reached or refuses.

    Args:
        client: a DynamoDB client, or a tenant's (:mod:`lib.shuttle.tenancy`).
        table_name: the Shuttle table.
        now: the clock.
    """

    def __init__(self, client: Any, table_name: str, now: clock.Clock = clock.utc_now) -> None:
        self._table = Table(client, table_name)
        self._now = now

    def install(self, shop: Shop) -> bool:
        """Store a new shop. False, and nothing changed, if it is already installed."""
        return self._table.put(Put(item=entities.to_item(shop), condition=ABSENT), "install the shop").accepted

    def reconfigure(self, shop: Shop) -> Shop:
        """Give an installed shop the plan, billing state, settings and feature limits of ``shop``; ``installed_at`` stays.

        Raises:
            NotFoundError: there is no such shop.
        """
        limits = {} if shop.feature_limits is None else {"FeatureLimits": items.value_to_attribute(shop.feature_limits)}
        settings = {"Settings": items.value_to_attribute(shop.settings)}
        removes = () if limits else ("FeatureLimits",)
        return self._change_plan(shop.shop_domain, shop.plan, shop.billing_state, settings | limits, removes)

    def change_plan(self, domain: str, plan: Plan, billing_state: BillingState) -> Shop:
        """Move a shop to a plan and billing state.

        Raises:
            NotFoundError: there is no such shop.
        """
        return self._change_plan(domain, plan, billing_state)

    def save_schema(
        self,
        domain: str,
        columns: tuple[Column, ...],
        replaces: int,
        *,
        key_columns: tuple[str, ...] = (),
        status_column: StatusColumn | None = None,
    ) -> Schema:
        """Make a new version of the shop's schema the current one. ``replaces`` is the version it is based on, 0 for none.

        Raises:
            SchemaChangedError: another version is current now.
            InvalidInputError: the columns, the key or the status column are not valid.
        """
        schema = Schema(
            shop_domain=domain,
            version=replaces + 1,
            columns=columns,
            created_at=self._now(),
            key_columns=key_columns,
            status_column=status_column,
        )
        unchanged = Condition(expression="#Version = :replaces", values={":replaces": number(replaces)})
        current = entities.to_item(schema, keys.schema_current(domain))
        statements = [
            Put(item=entities.to_item(schema), condition=ABSENT),
            Put(item=current, condition=ABSENT if replaces == 0 else unchanged),
        ]
        if self._table.transact(statements, "save the schema"):
            raise SchemaChangedError(f"version {replaces} of the schema is not the current one")
        return schema

    def save_session(self, session: Session) -> None:
        """Store a session, replacing an earlier one with its id."""
        self._table.put(Put(item=entities.to_item(session)), "save the session")

    def save_app_config(self, config: AppConfig) -> None:
        """Store settings of the app, replacing earlier ones with their name."""
        self._table.put(Put(item=entities.to_item(config)), "save the app config")

    def _change_plan(
        self,
        domain: str,
        plan: Plan,
        billing_state: BillingState,
        sets: items.Attributes | None = None,
        removes: tuple[str, ...] = (),
    ) -> Shop:
        attributes = {"Plan": {"S": plan.value}, "BillingState": {"S": billing_state.value}}
        change = Update(
            key=keys.shop(domain).attributes(),
            sets=attributes | keys.shops_by_plan(domain, plan, billing_state).attributes() | (sets or {}),
            removes=removes,
            condition=PRESENT,
        )
        applied = self._table.update(change, "change the shop")
        if not applied.accepted or applied.item is None:
            raise errors.NotFoundError("the shop does not exist")
        return entities.from_item(Shop, applied.item)
