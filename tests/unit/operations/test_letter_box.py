"""A letter box shows the same letters to every reader, and finds the chosen ones again to act on them."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lib.operations import redrive
from lib.operations.dead_letters import DeadLetterQueue
from lib.operations.redrive import LetterBox
from lib.platform import errors
from tests.support.operations.deployment import FAILURES, WORK_DEAD_LETTERS, Deployment


@pytest.fixture
def box(deployment: Deployment) -> LetterBox:
    return LetterBox(deployment)


def put(deployment: Deployment, number: int, queue: str = FAILURES) -> None:
    for each in range(number):
        record = {"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": {"id": each}}
        deployment.send(queue, record)


def held(deployment: Deployment, queue: str = FAILURES) -> int:
    """How many letters no reader gets."""
    sqs, name = deployment.client("sqs"), "ApproximateNumberOfMessagesNotVisible"
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


def keys(box: LetterBox, limit: int = 100) -> list[str]:
    return [each.key for each in box.read(limit).letters]


def test_what_was_read_is_released(deployment: Deployment, box: LetterBox) -> None:
    put(deployment, 25)
    put(deployment, 1, WORK_DEAD_LETTERS)

    assert len(keys(box)) == 26
    assert (held(deployment), held(deployment, WORK_DEAD_LETTERS)) == (0, 0)


def test_two_readers_at_once_see_the_same_letters(
    deployment: Deployment, box: LetterBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(deployment, 5)
    read = DeadLetterQueue.read

    def slowly(*args: Any, **options: Any) -> Any:
        letters = read(*args, **options)
        time.sleep(0.05)  # a reader without a lock comes here
        return letters

    monkeypatch.setattr(DeadLetterQueue, "read", slowly)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: keys(box), range(2))

    assert (len(first), sorted(first)) == (5, sorted(second))


def test_a_queue_with_more_says_so(deployment: Deployment, box: LetterBox) -> None:
    put(deployment, 3)

    assert (box.read(2).has_more, box.read(4).has_more) == (True, False)


def test_only_the_chosen_letters_are_held(deployment: Deployment, box: LetterBox) -> None:
    put(deployment, 25)
    chosen = keys(box)[20:22]

    with box.hold(chosen) as letters:
        assert sorted(each.key for each in letters) == sorted(chosen)
        assert held(deployment) == 2

    assert held(deployment) == 0


def test_letters_are_released_after_an_error(deployment: Deployment, box: LetterBox) -> None:
    put(deployment, 2)

    with pytest.raises(ValueError, match="failed"), box.hold(keys(box)):
        raise ValueError("failed")

    assert held(deployment) == 0


def test_letters_that_are_gone_are_left_out(deployment: Deployment, box: LetterBox) -> None:
    put(deployment, 1)

    with box.hold([*keys(box), f"{FAILURES}/gone"]) as letters:
        assert len(letters) == 1


def test_a_queue_that_is_not_of_the_deployment_is_not_read(box: LetterBox) -> None:
    with pytest.raises(errors.NotFoundError), box.hold(["elsewhere/1"]):
        pass


def test_what_succeeds_leaves_the_list_and_errors_are_named(deployment: Deployment, box: LetterBox) -> None:
    put(deployment, 1)
    deployment.send(FAILURES, json.dumps("not a record"))

    with box.hold(keys(box)) as letters:
        outcomes = {each.letter.refused: error for each, error in redrive.attempt(redrive.send_back, letters)}
        left = list(letters)

    assert outcomes["it is not a record of a failed event"] == "it is not a record of a failed event"
    assert "it is not a record of a failed event" in [each.letter.refused for each in left]
