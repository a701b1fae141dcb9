"""The benchmark's own parts: what it says of figures, and that a program is started, asked and timed. Nothing is timed here."""

import sys
from pathlib import Path

import pytest

from tests.bench.aws_stub import LEASE_ITEM, AwsStub
from tests.bench.speed import archives, report
from tests.bench.speed.growth import Cost
from tests.bench.speed.metering import Meter
from tests.bench.speed.programs import FLOOR, OURS, PEERS
from tests.bench.speed.runtime import Process, ProgramError, Took


def took(milliseconds: float) -> list[Took]:
    return [Took(wall_ms=milliseconds + more, cpu_ms=milliseconds + more, answer=b"") for more in (-1, 0, 1)]


def results(ours: float, peer: float = 150, growth: float = 12) -> report.Results:
    times = {OURS: took(ours), FLOOR: took(100), **{label: took(peer) for label in PEERS}}
    return report.Results(
        machine=dict.fromkeys(("date", "machine", "load", "python", "commit"), "-"),
        cold={"webhooks": times},
        warm={"webhook delivery": times},
        consumed={"webhooks": {OURS: Meter(2, 12), **{label: Meter(2, 12) for label in PEERS}}},
        growth={"issues": [Cost("record", 10, 2, 12, 4, 9), Cost("record", 1000, 2, growth, 4, 9)]},
    )


def verdicts(measured: report.Results) -> list[str]:
    return [verdict for table in report.tables(measured) for verdict in table.verdicts]


def test_figures_within_the_limits_are_met_without_a_reason() -> None:
    said = verdicts(results(ours=87))

    assert not [verdict for verdict in said if "missed" in verdict or verdict.startswith("Why")]
    assert len([verdict for verdict in said if "met" in verdict]) == 11


def test_a_missed_limit_has_its_figure_and_the_reason() -> None:
    said = verdicts(results(ours=160))

    assert "wall: at most 0.88× the floor: missed, 1.60×" in said
    assert "wall: below every peer: missed, the best is Chalice at 1.50×" in said
    assert f"Why: {report.WARM_REASONS['webhook delivery']}" in said
    assert len([verdict for verdict in said if verdict == f"Why: {report._MORE}"]) == 1


def test_growing_units_miss_the_limit() -> None:
    assert "calls and units flat: missed, the worst grows 2.00×" in verdicts(results(ours=100, growth=24))


def test_growing_cpu_time_misses_its_own_limit() -> None:
    costs = [Cost("record", 10, 2, 12, 4, 9), Cost("record", 1000, 2, 12, 6, 9)]
    measured = results(ours=100)
    measured.growth = {"issues": costs}

    assert "calls and units flat: met, the worst grows 1.00×" in verdicts(measured)
    assert "CPU flat: missed, the worst grows 1.50×" in verdicts(measured)


def test_the_page_has_every_table_with_our_row_in_bold() -> None:
    page = report.page(results(ours=87), quick=False)

    assert page.count("\n## ") == 5  # four tables, and how to do it again
    assert f"| **{OURS}** | **87.00** | **0.87** | **86.00 to 88.00** |" in page
    assert "`make bench` wrote this page" in page


PROGRAM = """
import json, urllib.request, os
def lambda_handler(event, context):
    if event.get("fail"):
        raise ValueError("as asked")
    headers = {"X-Amz-Target": "DynamoDB_20120810.GetItem"}
    request = urllib.request.Request(os.environ["AWS_URL"], b'{"Key": {"userEmail": {}}}', headers)
    return {"item": json.load(urllib.request.urlopen(request))["Item"]["uuid"]}
"""


@pytest.fixture
def path(tmp_path: Path) -> list[Path]:
    (tmp_path / "program.py").write_text(PROGRAM)
    return [tmp_path, *(Path(entry) for entry in sys.path if entry.endswith("site-packages"))]


def test_a_program_answers_and_the_stub_counts_its_calls(path: list[Path]) -> None:
    with AwsStub() as stub:
        process = Process("program.lambda_handler", path, {"AWS_URL": stub.url})
        try:
            first, second = process.first_answer(b"{}"), process.invoke(b"{}")
        finally:
            process.end()
        calls = stub.calls()

    assert LEASE_ITEM["uuid"]["S"].encode() in first.answer
    assert second.answer == first.answer
    assert first.cpu_ms > second.cpu_ms > 0
    assert calls == {"DynamoDB_20120810.GetItem": 2}


def test_a_failing_program_raises_instead_of_giving_a_figure(path: list[Path]) -> None:
    process = Process("program.lambda_handler", path, {"AWS_URL": "http://127.0.0.1:9"})
    try:
        with pytest.raises(ProgramError, match="as asked"):
            process.invoke(b'{"fail": true}')
    finally:
        process.end()


def test_an_archive_has_the_dependencies_and_bytecode_unless_switched_off(tmp_path: Path) -> None:
    needed = archives.closure(["jinja2"])
    assert set(needed) == {"jinja2", "markupsafe"}

    archives.build(tmp_path / "with", needed)
    archives.build(tmp_path / "without", needed, bytecode=False)

    assert list((tmp_path / "with").rglob("*.pyc"))
    assert not list((tmp_path / "without").rglob("*.pyc"))
    assert (tmp_path / "without" / "jinja2" / "environment.py").exists()
