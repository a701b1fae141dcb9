"""Writes shops, schemas, sessions and settings of the app, each by one conditional write or one transaction.

Jobs are written by :mod:`lib.shuttle.jobs.lifecycle`.
"""

from collections.abc import Mapping
from typing import Any

from lib.platform import clock, errors
from lib.platform.dynamodb import Check, Condition, Delete, Item, Put, Table, Update, number
from lib.shuttle import entities, items, keys
from lib.shuttle.entities import (
    REMOVAL_ATTRIBUTE,
    AppConfig,
    BillingState,
    Column,
    Schema,
    Session,
    Shop,
    StatusColumn,
)
from lib.shuttle.items import ABSENT
from lib.shuttle.jobs.plans import Plan

#: How often a change of an app config is tried while others change it.
_CONFIG_TRIES = 5

_STAYS = Condition(expression=f"attribute_exists(#PK) AND attribute_not_exists(#{REMOVAL_ATTRIBUTE})")
"""The shop is installed, and is not being removed."""


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
            InvalidInputError: the columns, the key or the status column are not valid, or the shop is being removed.
            NotFoundError: there is no such shop.
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
        puts = [
            Put(item=entities.to_item(schema), condition=ABSENT),
            Put(item=current, condition=ABSENT if replaces == 0 else unchanged),
        ]
        if self._is_refused(domain, puts, "save the schema"):
            raise SchemaChangedError(f"version {replaces} of the schema is not the current one")
        return schema

    def save_session(self, session: Session) -> None:
        """Store a session of a shop, replacing an earlier one with its id.

        Raises:
            NotFoundError: there is no such shop.
            InvalidInputError: the session is another shop's, or the shop is being removed.
        """
        own = Condition(
            expression=f"attribute_not_exists(#PK) OR #ShopDomain = :shop OR #{items.TTL_ATTRIBUTE} <= :now",
            values={":shop": {"S": session.shop_domain}, ":now": items.ttl_attribute(self._now())},
        )
        if self._is_refused(session.shop_domain, [Put(item=entities.to_item(session), condition=own)], "save the session"):
            raise errors.InvalidInputError("the session is another shop's: a session can't move to another shop")

    def delete_session(self, session_id: str) -> bool:
        """Delete a session. False if there was none, or it had ended."""
        deleted = self._table.delete(Delete(key=keys.session(session_id).attributes()), "delete the session").item
        return deleted is not None and not items.has_expired(deleted, self._now())

    def change_app_config(self, name: str, changes: Mapping[str, str | None]) -> AppConfig | None:
        """Set settings of the app, or remove those with the value None; the others stay. Returns None if no setting is left.

        Raises:
            UnavailableError: others changed the same settings at each try.
        """
        key = keys.app_config(name).attributes()
        for _ in range(_CONFIG_TRIES):
            former = self._table.get(key, "read the app config")
            values = dict(entities.from_item(AppConfig, former).values) if former else {}
            values = {setting: value for setting, value in {**values, **changes}.items() if value is not None}
            changed = AppConfig(name=name, values=values, updated_at=self._now())
            unchanged = ABSENT if former is None else _is_as(former)
            if values:
                applied = self._table.put(Put(item=entities.to_item(changed), condition=unchanged), "save the app config")
            else:
                applied = self._table.delete(Delete(key=key, condition=unchanged), "delete the app config")
            if applied.accepted:
                return changed if values else None
        raise errors.UnavailableError("others changed the app config at the same time: try again")

    def _is_refused(self, domain: str, puts: list[Put], doing: str) -> bool:
        """Make ``puts`` if the shop is installed and stays so; whether another condition refused them."""
        check = Check(key=keys.shop(domain).attributes(), condition=_STAYS)
        refused = {refusal.position: refusal.item for refusal in self._table.transact([*puts, check], doing)}
        if len(puts) in refused:
            raise _gone(domain, refused[len(puts)])
        return bool(refused)

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
            condition=_STAYS,
        )
        applied = self._table.update(change, "change the shop")
        if not applied.accepted or applied.item is None:
            raise _gone(domain, applied.item)
        return entities.from_item(Shop, applied.item)


def _gone(domain: str, shop: Item | None) -> errors.SwitchboardError:
    """Why :data:`_STAYS` does not hold of the row of a shop."""
    if shop is None:
        return errors.NotFoundError(f"the shop {domain} does not exist")
    return errors.InvalidInputError(f"the shop {domain} is being removed: wait until it is gone")


def _is_as(row: Item) -> Condition:
    return Condition(expression="#UpdatedAt = :former", values={":former": row["UpdatedAt"]})
