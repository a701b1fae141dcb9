"""The soak's plan of faults, its model of a catalogue, and its senders."""

import random
import time
from itertools import pairwise

import pytest
import requests

from lib.platform.contract import ENTRY_POINTS
from tests.bench.soak import plan
from tests.bench.soak.clockwork import Clockwork
from tests.bench.soak.history import PUSH, History
from tests.bench.soak.shops import File, applied, make_file


@pytest.mark.parametrize("minutes", [5, 60])
def test_faults_of_services_and_processes_do_not_overlap(minutes: int) -> None:
    faults = [each for each in plan.make_plan(1, minutes).faults if each.aws or each.jira or each.slack or each.kill]

    assert len(faults) >= len(plan.KINDS)
    assert all(one.end <= other.start + 1e-6 for one, other in pairwise(faults))
    assert all(each.end <= plan.POISON_AT * minutes * 60 for each in faults)


def test_a_seed_gives_one_plan_and_another_seed_another_order() -> None:
    assert plan.make_plan(1, 60) == plan.make_plan(1, 60)
    assert plan.make_plan(1, 60) != plan.make_plan(2, 60)


def test_an_hour_has_every_fault_and_kills_every_function_with_load() -> None:
    faults = plan.make_plan(1, 60).faults

    assert {each.name for each in plan.KINDS} < {each.name for each in faults}
    assert {each.kill for each in faults if each.kill} == set(ENTRY_POINTS) - {"health"}
    assert any("http-refusals" in each.raises for each in faults)


def test_an_outage_must_raise_the_alarm_of_a_health_check_only_if_it_lasts() -> None:
    must = [{name for each in plan.make_plan(1, minutes).faults for name in each.raises} for minutes in (5, 60)]

    assert "health-jira" not in must[0]
    assert "health-jira" in must[1]


def test_a_sender_retries_errors_of_the_server_only() -> None:
    history = History()
    accepted: list[requests.Response] = []
    answers = iter([None, 503, 202])

    def send() -> requests.Response:
        status = next(answers)
        if status is None:
            raise requests.ConnectionError("reset")
        answer = requests.Response()
        answer.status_code = status
        return answer

    sent = history.add(PUSH, "push")
    job = history.delivery(sent, send, (1.0, 2.0, 3.0), accepted.append)

    assert [job(), job(), job()] == [1.0, 2.0, None]
    assert [attempt.status for attempt in sent.attempts] == [0, 503, 202]
    assert len(accepted) == 1


@pytest.mark.parametrize(
    ("mode", "after", "counts"),
    [
        ("NEW_ONLY", {"S1": ("1.00", "1"), "S2": ("2.00", "2"), "S3": ("3.00", "3")}, (1, 0)),
        ("OVERWRITE_EXISTING", {"S1": ("1.00", "1"), "S2": ("9.00", "2"), "S3": ("3.00", "3")}, (1, 1)),
        ("WIPE_AND_RESTORE", {"S2": ("9.00", "2"), "S3": ("3.00", "3")}, (1, 1)),
    ],
    ids=["new only", "overwrite", "wipe"],
)
def test_the_model_of_a_catalogue_follows_the_mode(mode: str, after: object, counts: tuple[int, int]) -> None:
    file = File(b"", {"S2": ("9.00", "2"), "S3": ("3.00", "3")}, bad=1)

    found, job = applied({"S1": ("1.00", "1"), "S2": ("2.00", "2")}, file, mode)

    assert found == after
    assert (job["added"], job["replaced"]) == counts
    assert (job["rows_read"], job["rows_failed"]) == (3, 1)


def test_a_file_has_each_row_once_and_the_bad_ones_beside() -> None:
    file = make_file(random.Random(1), bad=3)
    lines = file.text.decode().splitlines()

    assert lines[0] == "sku,price,stock"
    assert len(lines) == 1 + len(file.rows) + 3


def test_a_job_runs_again_when_it_asks_and_one_that_raises_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    clockwork, pauses = Clockwork(2), iter([0.0, 0.0, None])

    def broken() -> float | None:
        raise ValueError("a defect")

    clockwork.add(lambda: next(pauses))
    clockwork.add(broken)
    end = time.monotonic() + 5
    clockwork.run(lambda: clockwork.pending == 0 or time.monotonic() > end)
    clockwork.close()

    assert next(pauses, "used up") == "used up"
    assert ["a defect" in failure for failure in clockwork.failures] == [True]
    assert "a defect" in capsys.readouterr().err
