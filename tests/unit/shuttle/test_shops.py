"""Changing a shop: its plan, settings and limits are the new ones, in the table and in its indexes."""

import pytest

from lib.platform import errors
from lib.shuttle.entities import BillingState, ShopSettings
from lib.shuttle.jobs.plans import Plan
from tests.support.shuttle.builders import DOMAIN, ShuttleTable, a_shop, limits


def test_a_changed_shop_keeps_only_its_install_date(shuttle_table: ShuttleTable) -> None:
    installed = a_shop(plan=Plan.FREE)
    shuttle_table.registry.install(installed)
    shuttle_table.clock.advance(days=3)
    wanted = a_shop(
        plan=Plan.SMALL,
        billing_state=BillingState.SUSPENDED,
        settings=ShopSettings(csv_delimiter=";"),
        feature_limits=limits(concurrent_jobs=7),
        installed_at=shuttle_table.clock.moment,
    )

    changed = shuttle_table.registry.reconfigure(wanted)

    assert changed == shuttle_table.repository.shop(DOMAIN)
    assert (changed.plan, changed.billing_state, changed.settings) == (wanted.plan, wanted.billing_state, wanted.settings)
    assert changed.limits.concurrent_jobs == 7
    assert changed.installed_at == installed.installed_at


def test_changing_a_shop_without_limits_removes_the_agreed_ones(shuttle_table: ShuttleTable) -> None:
    shuttle_table.registry.install(a_shop(feature_limits=limits(concurrent_jobs=7)))

    changed = shuttle_table.registry.reconfigure(a_shop())

    assert changed.feature_limits is None
    assert changed.limits == Plan.LARGE.limits


def test_a_changed_shop_is_listed_under_its_new_plan_only(shuttle_table: ShuttleTable) -> None:
    shuttle_table.registry.install(a_shop(plan=Plan.FREE))

    shuttle_table.registry.reconfigure(a_shop(plan=Plan.MEDIUM))

    found = shuttle_table.repository.shops_by_plan
    assert [shop.shop_domain for shop in found(Plan.MEDIUM, BillingState.ACTIVE)] == [DOMAIN]
    assert list(found(Plan.FREE, BillingState.ACTIVE)) == []


def test_changing_an_unknown_shop_does_not_create_it(shuttle_table: ShuttleTable) -> None:
    with pytest.raises(errors.NotFoundError):
        shuttle_table.registry.reconfigure(a_shop())
