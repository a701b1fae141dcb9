"""``shuttle config`` changes settings of the app, and ``shuttle remove`` deletes a shop, on tables and a bucket of moto."""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from click.testing import Result

from lib.platform import aws, clock
from lib.shuttle import keys, removal
from lib.shuttle.entities import BillingState, Session, SessionKind, Shop
from lib.shuttle.jobs.plans import Plan
from lib.shuttle.registry import Registry
from tests.support.aws.moto_inside import BUCKET, SHOPS

Run = Callable[..., Result]
GONE, ALIKE = "shop-1.example", "shop-1.example.org"
SECRET = "s3cr3t-token-of-a-shop"


@pytest.fixture
def table(dynamodb: Any) -> Any:
    """A client of a table with two shops, each with a session."""
    registry, now = Registry(dynamodb, SHOPS), clock.utc_now()
    for domain in (GONE, ALIKE):
        registry.install(Shop(shop_domain=domain, plan=Plan.FREE, billing_state=BillingState.ACTIVE, installed_at=now))
        registry.save_session(Session.open(f"s-{domain}", domain, SessionKind.OFFLINE, now, values={"token": SECRET}))
    return dynamodb


@pytest.fixture
def bucket(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An S3 client, with objects and an incomplete upload of each shop."""
    s3 = aws.make_client("s3")
    for domain in (GONE, ALIKE):
        for prefix in keys.object_prefixes(domain):
            s3.put_object(Bucket=BUCKET, Key=f"{prefix}one", Body=b"1")
        s3.create_multipart_upload(Bucket=BUCKET, Key=f"uploads/{domain}/parts")
    monkeypatch.setattr(removal, "SETTLING", timedelta(0))
    return s3


def stored(table: Any, bucket: Any, domain: str) -> list[str]:
    rows = [str(row) for row in table.scan(TableName=SHOPS)["Items"]]
    objects = [each["Key"] for each in bucket.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
    uploads = [each["Key"] for each in bucket.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])]
    return [each for each in rows + objects + uploads if domain in each.replace(ALIKE, "" if domain == GONE else ALIKE)]


def test_a_removed_shop_is_reported_and_nothing_is_left(run: Run, table: Any, bucket: Any) -> None:
    before = stored(table, bucket, ALIKE)

    result = run("shuttle", "remove", GONE, "--yes")

    assert result.exit_code == 0, result.output
    assert f"{GONE} is removed" in result.stdout
    assert {("rows", "1"), ("objects", "6"), ("sessions", "1")} <= {
        tuple(cell.strip() for cell in line.strip("│").split("│")) for line in result.stdout.splitlines()
    }
    assert SECRET not in result.output
    assert stored(table, bucket, GONE) == []
    assert stored(table, bucket, ALIKE) == before
    assert run("shuttle", "remove", GONE, "--yes").exit_code == 1


def test_a_removal_asks_first(run: Run, table: Any, bucket: Any) -> None:
    before = stored(table, bucket, GONE)

    result = run("shuttle", "remove", GONE, input="n\n")

    assert result.exit_code == 1
    assert f"Delete {GONE} with all its rows, sessions and files?" in result.stderr
    assert stored(table, bucket, GONE) == before


def test_a_removal_without_an_answer_names_the_option(run: Run, table: Any, bucket: Any) -> None:
    result = run("shuttle", "remove", GONE)

    assert result.exit_code == 1
    assert result.stderr.endswith("\nError: Nobody answered on standard input: pass --yes.\n")


@pytest.mark.parametrize("command", ["remove", "catalogue"])
def test_a_shop_that_does_not_exist_is_named(run: Run, table: Any, bucket: Any, command: str) -> None:
    result = run("shuttle", command, "nope.example.com", input="y\n")

    assert (result.exit_code, result.stderr) == (1, "Error: the shop nope.example.com does not exist\n")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((GONE, "--month", "2026-01", "--from", "2026-01-02"), "--month can't be combined with --from or --to."),
        (("--month", "2026-01", "--to", "2026-01-02"), "--month can't be combined with --from or --to."),
        (("--from", "2026-01-02"), "--from needs SHOP."),
    ],
)
def test_a_day_of_usage_that_has_no_effect_is_a_usage_error(run: Run, options: tuple[str, ...], sentence: str) -> None:
    result = run("shuttle", "usage", *options)

    assert (result.exit_code, result.stderr) == (2, f"Error: {sentence}\n")


def test_a_removal_waits_until_the_shop_has_settled(run: Run, table: Any, bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "SETTLING", timedelta(seconds=1))
    monkeypatch.setattr(removal, "_WAIT_SECONDS", 0.2)
    began = time.monotonic()

    assert run("shuttle", "remove", GONE, "--yes").exit_code == 0
    assert time.monotonic() - began >= 1
    assert stored(table, bucket, GONE) == []


def test_settings_are_set_listed_shown_and_unset(run: Run, dynamodb: Any) -> None:
    assert run("shuttle", "config", "set", "limits", "uploads=on", "rule=a=b").exit_code == 0
    run("shuttle", "config", "set", "texts", "hello=")
    shown = json.loads(run("shuttle", "config", "get", "limits", "--json").stdout)
    assert (shown["name"], shown["values"]) == ("limits", {"uploads": "on", "rule": "a=b"})
    listed = run("shuttle", "config", "list", "--json").stdout.splitlines()
    assert [json.loads(line)["name"] for line in listed] == ["limits", "texts"]

    assert "uploads" not in run("shuttle", "config", "unset", "limits", "uploads").stdout
    assert "0 settings." in run("shuttle", "config", "unset", "limits", "rule").stderr
    gone = run("shuttle", "config", "get", "limits")
    assert (gone.exit_code, gone.stderr) == (1, "Error: the app config limits does not exist\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("set", "limits", "uploads"), "Write each setting as SETTING=VALUE."),
        (("set", "limits", "=on"), "Write each setting as SETTING=VALUE."),
        (("set", "a#b", "uploads=on"), "Invalid value for 'NAME': 'a#b' is not a valid config name."),
    ],
)
def test_a_setting_that_can_not_be_read_is_a_usage_error(run: Run, arguments: tuple[str, ...], sentence: str) -> None:
    result = run("shuttle", "config", *arguments)

    assert (result.exit_code, result.stderr) == (2, f"Error: {sentence}\n")
