"""Which versions belong to one deployment, and which ones a rollback makes live."""

from datetime import UTC, datetime, timedelta

import pytest

from lib.operations import deployments
from lib.operations.deployments import FunctionVersions, Release, Version
from lib.platform import errors

START = datetime(2026, 11, 29, 12, tzinfo=UTC)


def function(name: str, published: str, live: int, *, used: frozenset[int] = frozenset()) -> FunctionVersions:
    """A function whose versions have these revisions: "A@0 B@60", with the minute of the publication."""
    versions = []
    for number, each in enumerate(published.split(), 1):
        revision, _, minute = each.partition("@")
        versions.append(Version(number=number, published_at=START + timedelta(minutes=int(minute)), revision=revision))
    return FunctionVersions(
        entry_point=name, name=f"{name}-1", versions=tuple(reversed(versions)), live=live, used=used | {live}, token="t"
    )


def targets(functions: list[FunctionVersions], release: Release) -> dict[str, int | None]:
    return {move.function.entry_point: move.to for move in deployments.plan(functions, release)}


def test_the_versions_of_one_deployment_belong_together() -> None:
    functions = [function("webhooks", "A@0 B@60", 2), function("health", "A@1 B@62", 2)]

    newest, oldest = deployments.releases(functions)

    assert (newest.revision, newest.versions, newest.live) == ("B", {"webhooks": 2, "health": 2}, ("webhooks", "health"))
    assert (oldest.revision, oldest.published_at, oldest.live) == ("A", START + timedelta(minutes=1), ())


def test_the_same_revision_deployed_again_is_another_deployment() -> None:
    functions = [function("webhooks", "A@0 B@60 A@120", 3)]

    assert [release.versions["webhooks"] for release in deployments.releases(functions)] == [3, 2, 1]
    assert deployments.before(functions).revision == "B"


def test_moving_forward_reverses_a_rollback() -> None:
    functions = [function("webhooks", "A@0 B@60 C@120", 3), function("health", "A@0 B@60 C@120", 3)]
    back = deployments.before(functions)
    rolled = [function("webhooks", "A@0 B@60 C@120", 2), function("health", "A@0 B@60 C@120", 2)]

    assert targets(functions, back) == {"webhooks": 2, "health": 2}
    assert targets(rolled, deployments.after(rolled)) == {"webhooks": 3, "health": 3}


def test_a_second_try_has_the_target_of_the_first() -> None:
    partly = [function("webhooks", "A@0 B@60 C@120", 2), function("health", "A@0 B@60 C@120", 3)]

    assert targets(partly, deployments.before(partly)) == {"webhooks": 2, "health": 2}
    assert targets(partly, deployments.after(partly)) == {"webhooks": 3, "health": 3}


def test_a_function_that_a_deployment_missed_gets_its_version_of_then() -> None:
    """B reached one function, and C both."""
    functions = [function("webhooks", "A@0 B@60 C@120", 3), function("health", "A@0 C@120", 2)]

    assert targets(functions, deployments.before(functions)) == {"webhooks": 2, "health": 1}


def test_a_function_that_is_newer_than_the_deployment_stays() -> None:
    functions = [function("webhooks", "A@0 B@60", 2), function("imports", "B@61", 1)]
    moves = deployments.plan(functions, deployments.before(functions))

    assert [(move.to, move.is_needed) for move in moves] == [(1, True), (None, False)]


def test_without_an_older_or_newer_deployment_a_rollback_is_refused() -> None:
    functions = [function("webhooks", "A@0", 1)]

    with pytest.raises(errors.NotFoundError, match="no deployment before A"):
        deployments.before(functions)
    with pytest.raises(errors.NotFoundError, match="no deployment came after"):
        deployments.after(functions)
    with pytest.raises(errors.NotFoundError, match="no published version is live"):
        deployments.before([function("webhooks", "A@0", 0)])


def test_a_deployment_is_found_by_the_beginning_of_its_revision() -> None:
    functions = [function("webhooks", "ab1.f@0 ab2.f@60 cd1.f@120", 3)]

    assert deployments.named(functions, "ab2").versions == {"webhooks": 2}
    assert deployments.named([function("webhooks", "ab@0 ab2@1", 2)], "ab").versions == {"webhooks": 1}
    with pytest.raises(errors.InvalidInputError, match=r"several revisions begin with ab: ab2.f, ab1.f"):
        deployments.named(functions, "ab")
    with pytest.raises(errors.NotFoundError, match="no deployment of the revision 'x'"):
        deployments.named(functions, "x")


@pytest.mark.parametrize(
    ("live", "number", "forward", "expected"), [(2, None, False, 1), (1, None, True, 2), (3, 1, False, 1), (2, 3, False, 3)]
)
def test_one_function_moves_to_its_next_version_or_a_given_one(
    live: int, number: int | None, forward: bool, expected: int
) -> None:
    assert deployments.plan_one(function("webhooks", "A@0 B@1 C@2", live), number, forward=forward).to == expected


@pytest.mark.parametrize(("live", "number", "forward"), [(1, None, False), (3, None, True), (1, 9, False)])
def test_a_version_that_is_not_kept_is_refused(live: int, number: int | None, forward: bool) -> None:
    with pytest.raises(errors.NotFoundError, match="webhooks has no version"):
        deployments.plan_one(function("webhooks", "A@0 B@1 C@2", live), number, forward=forward)


def test_what_a_kept_deployment_or_an_alias_needs_is_not_deleted() -> None:
    """The function imports was not reached by B: its version of A is needed to go back to B."""
    functions = [
        function("webhooks", "A@0 B@60 C@120", 3),
        function("imports", "Z@-60 A@0 C@120", 3),
        function("health", "A@0 B@60 C@120", 1),
    ]

    found = [(each.entry_point, number) for each, number in deployments.superseded(functions, 2)]

    assert found == [("webhooks", 1), ("imports", 1)]
