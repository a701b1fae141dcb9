"""An edit of a source renews the functions that use it, and says so in one line; one that does not parse changes nothing."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from stack.local.reload import Reloader


@dataclass
class Spec:
    entry_point: str


@dataclass
class Host:
    """A function; how often it was renewed."""

    spec: Spec
    pids: list[int] = field(default_factory=lambda: [1])
    renewed: int = 0

    def renew(self) -> None:
        self.renewed += 1


class Checkout:
    """Two functions, of which one uses lib/keys.py, and an entry of the clock for each edit."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("handlers", "lib", "stack"):
            (root / folder).mkdir()
        self.edits = 0
        self.write("lib/keys.py", "KEY = 1\n")
        self.write("handlers/webhooks.py", "from lib import keys\n")
        self.write("handlers/health.py", "")
        self.write("stack/queue.py", "")
        self.webhooks, self.health = Host(Spec("webhooks")), Host(Spec("health"))
        hosts: Any = [self.webhooks, self.health]
        self.reloader = Reloader(hosts, root, pause_seconds=0)

    def write(self, name: str, text: str) -> None:
        self.edits += 1
        (self.root / name).write_text(text)
        os.utime(self.root / name, (self.edits, self.edits))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_an_edit_renews_the_functions_that_use_the_file(checkout: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    checkout.write("lib/keys.py", "KEY = 2\n")

    checkout.reloader.apply_edits()
    checkout.reloader.apply_edits()

    assert (checkout.webhooks.renewed, checkout.health.renewed) == (1, 0)
    assert capsys.readouterr().err == "local cloud: lib/keys.py changed: reloaded webhooks\n"


def test_an_edit_that_does_not_parse_waits_until_it_does(checkout: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    checkout.write("lib/keys.py", "KEY = 2\ndef broken(:\n")
    checkout.reloader.apply_edits()
    checkout.write("handlers/health.py", "OTHER = 1\n")
    checkout.reloader.apply_edits()

    assert (checkout.webhooks.renewed, checkout.health.renewed) == (0, 0)
    line = "local cloud: lib/keys.py, line 2: invalid syntax: the functions keep running the previous code\n"
    assert capsys.readouterr().err == line * 2

    checkout.write("lib/keys.py", "KEY = 2\n")
    checkout.reloader.apply_edits()

    assert (checkout.webhooks.renewed, checkout.health.renewed) == (1, 1)
    assert capsys.readouterr().err == "local cloud: handlers/health.py, lib/keys.py changed: reloaded webhooks, health\n"


def test_an_edit_of_the_stack_needs_a_restart(checkout: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    checkout.write("stack/queue.py", "SECONDS = 1\n")

    checkout.reloader.apply_edits()

    assert (checkout.webhooks.renewed, checkout.health.renewed) == (0, 0)
    assert capsys.readouterr().err == "local cloud: stack/queue.py changed: restart the local cloud to apply it\n"


def test_a_function_that_does_not_run_needs_no_reload(checkout: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    checkout.webhooks.pids = []
    checkout.write("lib/keys.py", "KEY = 2\n")

    checkout.reloader.apply_edits()

    assert checkout.webhooks.renewed == 0
    assert capsys.readouterr().err == "local cloud: lib/keys.py changed: no running function uses it\n"


def test_a_module_that_the_local_cloud_uses_needs_a_restart(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    used = ModuleType("lib.keys")
    used.__file__ = str(checkout.root / "lib" / "keys.py")
    monkeypatch.setitem(sys.modules, "lib.keys", used)
    checkout.write("lib/keys.py", "KEY = 2\n")

    checkout.reloader.apply_edits()

    assert capsys.readouterr().err.endswith("; the local cloud uses it too: restart it to apply the edit there\n")


def test_it_checks_at_most_once_per_second(checkout: Checkout) -> None:
    hosts: Any = [checkout.webhooks]
    reloader = Reloader(hosts, checkout.root)
    checkout.write("lib/keys.py", "KEY = 2\n")

    reloader.apply_edits()

    assert checkout.webhooks.renewed == 0
