"""The samples of the playground: payloads to send, and faults to switch on. Local cloud only: PyYAML is installed with it."""

import functools
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from lib.platform import clock

_HERE = Path(__file__).parent
# A file of the local cloud, which the console must not import.
_LEASE_EVENTS = _HERE.parents[1] / "stack" / "local" / "lease_events.yaml"
LEASE_SOURCE = "InnovationSandbox-demo"


@dataclass(frozen=True, slots=True)
class Sample:
    """Something to send.

    Attributes:
        title: what it is.
        text: the payload, as the form shows it.
    """

    title: str
    text: str


def samples(kind: str, project: str, now: datetime) -> list[Sample]:
    """The samples of a kind: ``lease``, ``jira``, ``git``, ``draft`` or ``file``.

    Args:
        kind: which.
        project: the Jira project that they name.
        now: the time that they name.
    """
    if kind == "lease":
        read = _read(_LEASE_EVENTS)
        return [
            Sample(", ".join((name, *what)), _json({"source": LEASE_SOURCE, "detail-type": name, "detail": detail}))
            for name, detail, *what in (*read["regular"], *read["odd"])
        ]
    words = {"PROJECT": project, "SHA": secrets.token_hex(20), "SUFFIX": secrets.token_hex(3)}
    words |= {"NOW_ISO": now.isoformat(), "NOW": now.strftime("%Y-%m-%dT%H:%M:%S.000+0000")}
    found = []
    for each in _read(_HERE / "samples.yaml")[kind]:
        payload = each["payload"] if kind == "file" else _json(_filled(each["payload"], words, clock.epoch_ms(now)))
        found.append(Sample(each["title"], payload))
    return found


def sample_shop() -> Mapping[str, Any]:
    """The shop that a file is sent for: ``domain``, ``plan``, ``schema`` and ``order``."""
    shop = _read(_HERE / "samples.yaml")["shop"]
    return {**shop, "schema": _json(shop["schema"]), "order": _json(shop["order"])}


def sample_faults(service: str) -> list[Sample]:
    """The faults of a service that can be switched on."""
    return [
        Sample(each["title"], json.dumps(each["fault"])) for each in _read(_HERE / "samples.yaml")["faults"].get(service, ())
    ]


@functools.cache
def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _filled(value: Any, words: Mapping[str, str], now_ms: int) -> Any:
    if isinstance(value, dict):
        return {name: _filled(item, words, now_ms) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, words, now_ms) for item in value]
    if value == "NOW_MS":
        return now_ms
    if isinstance(value, str):
        for word, text in words.items():
            value = value.replace(word, text)
    return value
