"""Shops that import good and bad files, rehearse and export, each with a model of its catalogue."""

import csv
import io
import random
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.bench.soak.history import PATIENT, SHUTTLE, History
from tests.support.shuttle.api import COLUMNS, UNFINISHED, ShuttleApi, new_domain

SHOPS = 3
SKUS = 60
PAUSE_SECONDS = 12.0
JOB_SECONDS = 4_200.0
"""A job whose worker was killed has to wait for 17 minutes, and for an operator."""

Row = tuple[str, str]
"""Price and stock."""
Catalogue = dict[str, Row]


@dataclass(frozen=True, slots=True)
class JobResult:
    """A job that the API accepted: what the model says of it, and what the job says. ``found`` is empty if it did not end."""

    name: str
    expected: Mapping[str, Any]
    found: Mapping[str, Any]


@dataclass(slots=True)
class File:
    """A file to import: its text, its valid rows in order, and how many rows are not valid."""

    text: bytes
    rows: dict[str, Row] = field(default_factory=dict)
    bad: int = 0


class Shop(threading.Thread):
    """One shop, which orders its next job when the last has ended. ``catalogue`` is the model."""

    def __init__(self, api: ShuttleApi, history: History, seed: int, number: int) -> None:
        super().__init__(name=f"shop-{number}", daemon=True)
        self._api = api
        self._history = history
        self._chance = random.Random(f"{seed}-{number}")
        self._over = threading.Event()
        self.domain = new_domain()
        self.catalogue: Catalogue = {}
        self.jobs: list[JobResult] = []
        self.failure = ""

    def run(self) -> None:
        """Work until :meth:`finish`."""
        try:
            self._call("PUT", "", {"plan": "LARGE"})
            self._call("PUT", "/schema", {"columns": COLUMNS, "key": ["sku"]})
            while not self._over.wait(self._chance.expovariate(1 / PAUSE_SECONDS)):
                self._work()
        except Exception as error:
            self.failure = f"{self.name} stopped: {error!r}"

    def finish(self) -> None:
        """Order no other job."""
        self._over.set()

    def export(self) -> Catalogue:
        """The stored catalogue, by an export."""
        job = self._run({"kind": "EXPORT", "file_format": "CSV", "columns": ["sku", "price", "stock"]}, None)
        if job.get("status") != "COMPLETED":
            raise RuntimeError(f"the export of {self.domain} ended as {job}")
        link = self._call("GET", f"/jobs/{job['job_id']}/result")["url"]
        rows = csv.DictReader(io.StringIO(requests.get(link, timeout=60).text))
        return {row["sku"]: (row["price"], row["stock"]) for row in rows}

    def _work(self) -> None:
        kind = self._chance.choices(("good", "some bad rows", "bad", "dry run", "export"), (45, 20, 10, 15, 10))[0]
        if kind == "export" and self.catalogue:
            exported = self.export()
            self.jobs.append(JobResult("export", self.catalogue, exported))
            return
        if kind == "bad":
            job = self._run({"mode": "NEW_ONLY"}, b"title;colour\nTeapot;blue\n")
            self._judge("bad file", {"status": "FAILED"}, job)
            return
        modes = ["NEW_ONLY", "OVERWRITE_EXISTING"] + (["WIPE_AND_RESTORE"] if kind == "good" else [])
        mode = self._chance.choice(modes)
        file = make_file(self._chance, bad=3 if kind == "some bad rows" else 0)
        order = {"mode": mode, "dry_run": kind == "dry run"} | ({"confirm": self.domain} if mode == "WIPE_AND_RESTORE" else {})
        after, expected = applied(self.catalogue, file, mode)
        job = self._run(order, file.text)
        self._judge(f"{mode}, {kind}", expected, job)
        if kind != "dry run" and job.get("status") == "COMPLETED":
            self.catalogue = after

    def _judge(self, name: str, expected: Mapping[str, Any], job: Mapping[str, Any]) -> None:
        self.jobs.append(JobResult(f"{name} of {self.domain}", expected, {key: job.get(key) for key in expected}))

    def _run(self, order: dict[str, Any], file: bytes | None) -> dict[str, Any]:
        """Order a job with a token, upload its file, and wait for its end."""
        given = order | {"client_token": uuid.uuid4().hex} | ({} if file is None else {"file_bytes": len(file)})
        made = self._call("POST", "/jobs", given)
        if file is not None:
            upload = made["upload"]["url"]
            self._retry("upload", lambda: requests.put(upload, data=file, timeout=60))
        end = self._history.now() + JOB_SECONDS
        job: dict[str, Any] = made["job"]
        while job["status"] in UNFINISHED and self._history.now() < end:
            threading.Event().wait(1.0)
            job = self._call("GET", f"/jobs/{made['job']['job_id']}")["job"]
        return job

    def _call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        return dict(
            self._retry(
                f"{method} {path.partition('?')[0][:40]}",
                lambda: self._api.call(method, f"/shuttle/shops/{self.domain}{path}", body),
            ).json()
        )

    def _retry(self, name: str, send: Callable[[], requests.Response]) -> requests.Response:
        sent = self._history.add(SHUTTLE, f"{name} of {self.domain}")
        for wait in (*PATIENT, 0.0):
            answer = self._history.attempt(sent, send)
            if answer is not None and answer.ok:
                return answer
            if answer is not None and answer.status_code < 500 and answer.status_code != 429:
                raise RuntimeError(f"{sent.name}: {answer.status_code} {answer.text[:200]}")
            threading.Event().wait(wait)
        raise RuntimeError(f"{sent.name} was never accepted")


def make_file(chance: random.Random, bad: int) -> File:
    """A file of some of the SKUs with any prices, each once, and ``bad`` rows that can't be imported."""
    skus = chance.sample(range(1, SKUS + 1), chance.randint(5, SKUS // 2))
    rows = {f"S{sku}": (f"{chance.randint(1, 99)}.{chance.randint(10, 99)}", str(chance.randint(0, 9))) for sku in skus}
    lines = [f"{sku},{price},{stock}" for sku, (price, stock) in rows.items()]
    lines += [f"B{number},priceless,1" for number in range(bad)]
    chance.shuffle(lines)
    return File("\n".join(["sku,price,stock", *lines, ""]).encode(), rows, bad)


def applied(catalogue: Catalogue, file: File, mode: str) -> tuple[Catalogue, dict[str, Any]]:
    """The catalogue after an import, and what the job must report."""
    added = [sku for sku in file.rows if sku not in catalogue]
    same = [sku for sku, row in file.rows.items() if catalogue.get(sku) == row]
    changed = [sku for sku in file.rows if sku in catalogue and catalogue[sku] != file.rows[sku]]
    counts: dict[str, Any] = {"status": "COMPLETED", "rows_read": len(file.rows) + file.bad, "rows_failed": file.bad}
    if mode == "NEW_ONLY":
        return catalogue | {sku: file.rows[sku] for sku in added}, counts | {"added": len(added), "replaced": 0}
    counts |= {"added": len(added), "replaced": len(changed), "unchanged": len(same)}
    if mode == "WIPE_AND_RESTORE":
        return dict(file.rows), counts | {"removed": len(catalogue.keys() - file.rows.keys())}
    return catalogue | file.rows, counts


def open_shops(api: ShuttleApi, history: History, seed: int) -> Sequence[Shop]:
    """The shops, at work."""
    shops = [Shop(api, history, seed, number) for number in range(1, SHOPS + 1)]
    for shop in shops:
        shop.start()
    return shops
