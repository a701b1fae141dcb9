"""An enricher that speaks to a server through the real client, with its output captured."""

from collections.abc import Callable
from typing import Any

import pytest

from lib.leases.enrichment import Enricher
from lib.platform import aws
from lib.platform.log import Logger
from tests.support.aws.environment import point_at
from tests.support.observability.log_lines import LogLines

FUNCTION = "enrichment-under-test"


@pytest.fixture
def logger() -> Logger:
    logger = Logger(FUNCTION)
    logger.start_run("run-1")
    return logger


@pytest.fixture
def lines(logger: Logger) -> LogLines:
    return LogLines(FUNCTION)


@pytest.fixture
def enricher_of(logger: Logger, lines: LogLines, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Enricher]:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "notification")
    return lambda client, **parts: Enricher(client, "leases-4f2a", logger, **parts)


@pytest.fixture
def enricher_at(enricher_of: Callable[..., Enricher], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Enricher]:
    def make(url: str, **parts: Any) -> Enricher:
        point_at(monkeypatch, url)
        return enricher_of(aws.make_client("dynamodb"), **parts)

    return make
