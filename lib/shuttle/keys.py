"""Every key of the Shuttle table, built and read in one place.

======================  ==========================  =====================================
row                     PK                          SK
======================  ==========================  =====================================
Shop                    ``SHOP#<domain>``           ``SHOP``
Job                     ``SHOP#<domain>``           ``JOB#<ulid>``
create request          ``SHOP#<domain>``           ``REQUEST#<client token>``
job slots               ``SHOP#<domain>``           ``SLOTS``
UsageDaily              ``SHOP#<domain>``           ``USAGE#DAY#2026-01-22``
UsageMonthly            ``SHOP#<domain>``           ``USAGE#MONTH#2026-01``
Schema, current         ``SHOP#<domain>``           ``SCHEMA#CURRENT``
Schema, versions        ``SHOP#<domain>``           ``SCHEMA#VERSION#000007``
Catalogue, current      ``SHOP#<domain>``           ``CATALOGUE``
Catalogue, replaced     ``SHOP#<domain>``           ``CATALOGUE#VERSION#000007``
event to publish        ``SHOP#<domain>``           ``EVENT#<ulid>``
Session                 ``SESSION#<id>``            ``SESSION``
AppConfig               ``APP``                     ``CONFIG#<name>``
======================  ==========================  =====================================

Everything of a shop but its sessions has one partition key, which is how tenants are kept apart
(:mod:`lib.shuttle.tenancy`). Every part of a key is checked before it is used, or refused with InvalidInputError: none can
contain the separator ``#``, so no id can forge another row's key.
"""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from lib.platform import clock, errors
from lib.shuttle import ulids

#: Over how many partitions the jobs of one status are spread in GSI1 (docs/adr/0060). Never lower it: readers query every
#: shard.
STATUS_SHARDS = 8

# RFC 1035 labels in lower case; at least two, so that a single word is refused.
_SHOP_DOMAIN = re.compile(r"(?=.{4,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_SESSION = "SESSION#"
_WORD = re.compile(r"[A-Z][A-Z_]{0,31}")
_MONTH = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class Key:
    """The key of a row in the table, or in one of the indexes GSI1 to GSI3."""

    pk: str
    sk: str
    index: str = ""

    def __str__(self) -> str:
        return f"{self.pk} {self.sk}"

    def attributes(self) -> dict[str, Any]:
        """The key in DynamoDB's JSON."""
        return {f"{self.index}PK": {"S": self.pk}, f"{self.index}SK": {"S": self.sk}}


def shop_domain(text: str) -> str:
    """``text``, if it is a domain name in lower case."""
    return _checked(_SHOP_DOMAIN, text, "shop domain", "teapots.example.com")


def job_id(text: str) -> str:
    """``text``, if it is a ULID."""
    if not ulids.is_ulid(text):
        raise errors.InvalidInputError(f"{text[:40]!r} is not a job id")
    return text


def opaque_id(text: str, what: str) -> str:
    """``text``, if it is an id of letters, digits, ``.``, ``_``, ``:`` and ``-``, at most 128 characters.

    ``what`` (``session id``, …) names it in the error.
    """
    return _checked(_ID, text, what)


def month(text: str) -> str:
    """``text``, if it is a month as ``2026-01``."""
    return _checked(_MONTH, text, "month", "2026-01")


# Partitions

APP_PARTITION = "APP"
"""The partition key of the settings of the app."""


def shop_partition(domain: str) -> str:
    """The partition key of everything of a shop but its sessions."""
    return f"SHOP#{shop_domain(domain)}"


def tenant_partitions(domain: str) -> frozenset[str]:
    """Every partition key, in the table and its indexes, of rows of this shop only."""
    return frozenset({shop_partition(domain), shop_domain(domain), sessions_partition(domain)})


# Rows


def shop(domain: str) -> Key:
    """The key of a Shop."""
    return Key(shop_partition(domain), "SHOP")


def job(domain: str, identifier: str) -> Key:
    """The key of a Job."""
    return Key(shop_partition(domain), f"JOB#{job_id(identifier)}")


def request(domain: str, client_token: str) -> Key:
    """The key of the row that remembers the job of a client token."""
    return Key(shop_partition(domain), f"REQUEST#{opaque_id(client_token, 'client token')}")


def slots(domain: str) -> Key:
    """The key of the row with the ids of a shop's unfinished jobs."""
    return Key(shop_partition(domain), "SLOTS")


def usage_daily(domain: str, day: date) -> Key:
    """The key of a shop's usage on a day (UTC)."""
    return Key(shop_partition(domain), usage_day_partition(day))


def usage_monthly(domain: str, of: str) -> Key:
    """The key of a shop's usage in a month (UTC), as ``2026-01``."""
    return Key(shop_partition(domain), usage_month_partition(of))


def schema_current(domain: str) -> Key:
    """The key of a shop's current schema."""
    return Key(shop_partition(domain), "SCHEMA#CURRENT")


def schema_version(domain: str, version: int) -> Key:
    """The key of one version of a shop's schema."""
    return Key(shop_partition(domain), f"SCHEMA#VERSION#{_six_digits(version, 'schema version')}")


def catalogue(domain: str) -> Key:
    """The key of the row that points to the current version of a shop's catalogue."""
    return Key(shop_partition(domain), "CATALOGUE")


def catalogue_version(domain: str, version: int) -> Key:
    """The key of a version of a shop's catalogue that another one replaced."""
    return Key(shop_partition(domain), f"CATALOGUE#VERSION#{_six_digits(version, 'catalogue version')}")


def event(domain: str, identifier: str) -> Key:
    """The key of an event that is still to be published."""
    return Key(shop_partition(domain), f"EVENT#{job_id(identifier)}")


def session(identifier: str) -> Key:
    """The key of a Session."""
    return Key(_SESSION + opaque_id(identifier, "session id"), "SESSION")


def is_session_partition(partition: str) -> bool:
    """Whether a partition of the table is that of a session."""
    return partition.startswith(_SESSION)


def app_config(name: str) -> Key:
    """The key of an AppConfig."""
    return Key(APP_PARTITION, f"CONFIG#{opaque_id(name, 'config name')}")


# Index keys


def shops_by_install(domain: str, installed_at: datetime) -> Key:
    """GSI1: all shops in the order of their installation. One partition: a shop is installed once."""
    return Key("SHOPS", f"{clock.canonical(installed_at)}#{shop_domain(domain)}", "GSI1")


def shops_by_plan(domain: str, plan: str, billing_state: str) -> Key:
    """GSI2: the shops of a plan, by billing state."""
    return Key(plan_partition(plan), billing_prefix(billing_state) + shop_domain(domain), "GSI2")


def plan_partition(plan: str) -> str:
    """GSI2's partition of a plan."""
    return f"PLAN#{_checked(_WORD, plan, 'plan')}"


def billing_prefix(billing_state: str) -> str:
    """The prefix of the GSI2 sort keys of the shops in a billing state."""
    return f"BILLING#{_checked(_WORD, billing_state, 'billing state')}#"


def jobs_by_status(identifier: str, status: str, since: datetime) -> Key:
    """GSI1: the jobs of all shops in a status, by the time they entered it, spread over shards by job id."""
    partition = status_partition(status, status_shard(identifier))
    return Key(partition, f"{clock.canonical(since)}#{job_id(identifier)}", "GSI1")


def status_partition(status: str, shard: int) -> str:
    """GSI1's partition of one shard of a status."""
    return f"JOBS#{_checked(_WORD, status, 'status')}#{shard:02d}"


def status_shard(identifier: str) -> int:
    """The shard of a job: a hash of its id, which never changes."""
    return zlib.crc32(job_id(identifier).encode()) % STATUS_SHARDS


def pending_events(identifier: str, created_at: datetime) -> Key:
    """GSI1: the events of all shops that are still to be published, the oldest first. One partition: each is there seconds."""
    return Key("EVENTS", f"{clock.canonical(created_at)}#{job_id(identifier)}", "GSI1")


def usage_of_day(domain: str, day: date) -> Key:
    """GSI2: the usage of all shops on a day."""
    return Key(usage_day_partition(day), shop_domain(domain), "GSI2")


def usage_day_partition(day: date) -> str:
    """GSI2's partition of a day, and the sort key of a shop's usage on that day."""
    return f"USAGE#DAY#{day:%Y-%m-%d}"


def usage_of_month(domain: str, of: str) -> Key:
    """GSI2: the usage of all shops in a month."""
    return Key(usage_month_partition(of), shop_domain(domain), "GSI2")


def usage_month_partition(of: str) -> str:
    """GSI2's partition of a month (``2026-01``), and the sort key of a shop's usage in that month."""
    return f"USAGE#MONTH#{month(of)}"


def sessions_of_shop(domain: str, identifier: str, expires_at: datetime) -> Key:
    """GSI3: the sessions of a shop, by the time they end, so that a range excludes the ended ones."""
    sort = f"{clock.canonical(expires_at)}#{opaque_id(identifier, 'session id')}"
    return Key(sessions_partition(domain), sort, "GSI3")


def sessions_partition(domain: str) -> str:
    """GSI3's partition of a shop's sessions."""
    return f"SESSIONS#{shop_domain(domain)}"


# Objects in the import bucket, each kind below its own prefix: only uploads start jobs. An object that a worker makes before
# the transaction that ends its job has the attempt in its name, so that no other attempt can replace it.


def object_prefixes(domain: str) -> tuple[str, ...]:
    """How the bucket keys of everything of a shop begin. The slash at the end keeps other shops out: ``a.example.org``."""
    kinds = ("uploads", "reports", "changes", "catalogue", "exports")
    return tuple(f"{kind}/{shop_domain(domain)}/" for kind in kinds)


def upload_object(domain: str, identifier: str) -> str:
    """The bucket key of the file that a job imports."""
    return f"uploads/{shop_domain(domain)}/{job_id(identifier)}"


def report_object(domain: str, identifier: str) -> str:
    """The bucket key of a job's error report."""
    return f"reports/{shop_domain(domain)}/{job_id(identifier)}.csv"


def catalogue_prefix(domain: str) -> str:
    """The beginning of the bucket keys of a shop's catalogue."""
    return f"catalogue/{shop_domain(domain)}/"


def catalogue_object(domain: str, version: int, identifier: str, attempt: int) -> str:
    """The bucket key of a version of a shop's catalogue, as an attempt of a job made it."""
    return f"{catalogue_prefix(domain)}{_six_digits(version, 'catalogue version')}-{job_id(identifier)}-{attempt}.parquet"


def changes_object(domain: str, identifier: str, attempt: int) -> str:
    """The bucket key of the rows that an attempt of a job changed."""
    return f"changes/{shop_domain(domain)}/{job_id(identifier)}-{attempt}.jsonl.gz"


def export_object(domain: str, identifier: str, attempt: int, extension: str) -> str:
    """The bucket key of the file that an attempt of an export made; ``extension`` as ``csv.gz``."""
    return f"exports/{shop_domain(domain)}/{job_id(identifier)}-{attempt}.{extension}"


def parse_upload_object(object_key: str) -> tuple[str, str]:
    """The shop domain and job id in the bucket key of an upload."""
    parts = object_key.split("/")
    if len(parts) != 3 or parts[0] != "uploads":
        raise errors.InvalidInputError(f"{object_key[:80]!r} is not the key of an upload")
    return shop_domain(parts[1]), job_id(parts[2])


def parse(item: Mapping[str, Any]) -> Key:
    """The primary key of an item in DynamoDB's JSON."""
    try:
        return Key(str(item["PK"]["S"]), str(item["SK"]["S"]))
    except (KeyError, TypeError) as error:
        raise errors.InvalidInputError("the item has no primary key") from error


def _six_digits(version: int, what: str) -> str:
    """A version as six digits, so that text order is version order."""
    if not 1 <= version <= 999_999:
        raise errors.InvalidInputError(f"{what} {version} is not from 1 to 999999")
    return f"{version:06d}"


def _checked(pattern: re.Pattern[str], text: str, what: str, example: str = "") -> str:
    if pattern.fullmatch(text) is None:
        raise errors.InvalidInputError(f"{text[:40]!r} is not a valid {what}{f': write it like {example}' if example else ''}")
    return text
