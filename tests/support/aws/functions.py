"""The functions as Lambda loads them: the module imported again, in the given environment."""

import importlib
import sys
from collections.abc import Mapping
from types import ModuleType

import pytest

from tests.support.aws.environment import set_all


def load(monkeypatch: pytest.MonkeyPatch, entry_point: str, variables: Mapping[str, str]) -> ModuleType:
    """Import ``handlers/<entry_point>.py`` as a new process would, and forget it after the test."""
    set_all(monkeypatch, {"POWERTOOLS_SERVICE_NAME": entry_point, **variables})
    name = f"handlers.{entry_point}"
    monkeypatch.delitem(sys.modules, name, raising=False)
    module = importlib.import_module(name)
    monkeypatch.setitem(sys.modules, name, module)
    return module
