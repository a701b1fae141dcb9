"""The writes that are not a job's: shops, schemas, sessions, settings of the app. Each is one conditional write or one
transaction; jobs have :mod:`lib.shuttle.jobs.lifecycle`.
"""

from typing import Any

from lib.platform import clock, errors
from lib.shuttle import entities, items, keys, transactions
from lib.shuttle.entities import AppConfig, BillingState, Column, Schema, Session, Shop
from lib.shuttle.jobs.plans import Plan
from lib.shuttle.transactions import ABSENT, Condition, Put, Update


class SchemaChangedError(errors.InvalidInputError):
    """Somebody else saved a schema meanwhile: read the current one and decide again."""

    code = "schema_changed"


class Registry:
    """Writes shops, schemas, sessions and settings.

    Every method raises a SwitchboardError if the table can't be reached or refuses.

    Args:
        client: a DynamoDB client.
        table_name: the Shuttle table.
        now: the clock.
    """

    def __init__(self, client: Any, table_name: str, now: clock.Clock = clock.utc_now) -> None:
        self._client = client
        self._table_name = table_name
        self._now = now

    def install(self, shop: Shop) -> bool:
        """Put a shop that is new. False, and nothing changed, if it is there already."""
        return self._put(Put(item=entities.to_item(shop), condition=ABSENT), "install the shop")

    def reconfigure(self, shop: Shop) -> Shop:
        """Give a shop that is there the plan, billing state, settings and feature limits of ``shop``; it stays installed
        since it was.

        Raises:
            NotFoundError: there is no such shop.
        """
        domain = shop.shop_domain
        values = {"Plan": shop.plan, "BillingState": shop.billing_state, "Settings": shop.settings}
        sets = {name: items.value_to_attribute(value) for name, value in values.items()}
        if shop.feature_limits is not None:
            sets["FeatureLimits"] = items.value_to_attribute(shop.feature_limits)
        return self._change(
            Update(
                key=keys.shop(domain),
                sets=sets | keys.shops_by_plan(domain, shop.plan, shop.billing_state).attributes(),
                removes=("FeatureLimits",) if shop.feature_limits is None else (),
                condition=Condition(expression="attribute_exists(#PK)"),
            )
        )

    def change_plan(self, domain: str, plan: Plan, billing_state: BillingState) -> Shop:
        """Move a shop to a plan and billing state.

        Raises:
            NotFoundError: there is no such shop.
        """
        sort_keys = keys.shops_by_plan(domain, plan, billing_state).attributes()
        change = Update(
            key=keys.shop(domain),
            sets={"Plan": {"S": plan.value}, "BillingState": {"S": billing_state.value}} | sort_keys,
            condition=Condition(expression="attribute_exists(#PK)"),
        )
        return self._change(change)

    def save_schema(self, domain: str, columns: tuple[Column, ...], replaces: int) -> Schema:
        """Make a new version of the shop's schema the current one. ``replaces`` is the version it was made from, 0 for none.

        Raises:
            SchemaChangedError: the current version is another by now.
            InvalidInputError: the columns are not valid.
        """
        schema = Schema(shop_domain=domain, version=replaces + 1, columns=columns, created_at=self._now())
        unchanged = Condition(expression="#Version = :replaces", values={":replaces": {"N": str(replaces)}})
        current = entities.to_item(schema, keys.schema_current(domain))
        statements = [
            Put(item=entities.to_item(schema), condition=ABSENT),
            Put(item=current, condition=ABSENT if replaces == 0 else unchanged),
        ]
        if transactions.transact(self._client, self._table_name, statements, "save the schema"):
            raise SchemaChangedError(f"version {replaces} of the schema is not the current one")
        return schema

    def save_session(self, session: Session) -> None:
        """Put a session, in place of an earlier one with its id."""
        self._put(Put(item=entities.to_item(session)), "save the session")

    def save_app_config(self, config: AppConfig) -> None:
        """Put settings of the app, in place of earlier ones under their name."""
        self._put(Put(item=entities.to_item(config)), "save the app config")

    def _change(self, change: Update) -> Shop:
        applied = transactions.apply(self._client, self._table_name, change, "change the shop")
        if not applied.accepted or applied.item is None:
            raise errors.NotFoundError("the shop is not there")
        return entities.from_item(Shop, applied.item)

    def _put(self, row: Put, doing: str) -> bool:
        return transactions.put(self._client, self._table_name, row, doing)
