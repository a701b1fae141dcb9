"""What was deployed, by the published versions of the functions, and which of it is live; moves the alias back and forward.

A deployment publishes a version of each function, whose description names the deployment (docs/adr/0081). What ran after a
deployment is, for each function, the last version that had been published by then: a function that a deployment did not reach
stayed as the deployment before left it. Pulumi's own state is not read, and does not notice that an alias moved.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lib.operations.deployed import Deployment
from lib.platform import aws, clock, errors
from lib.platform.contract import ALIAS, revision_in

UNKNOWN = "unknown"
"""The revision of a version that no deployment published."""

_LATEST = "$LATEST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A published version of a function.

    Attributes:
        number: its number.
        published_at: when it was published.
        revision: of the deployment that published it: the Git revision, and after a dot a digest of the configuration.
    """

    number: int
    published_at: datetime
    revision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionVersions:
    """A function with its versions.

    Attributes:
        entry_point: its module in handlers/.
        name: its name in AWS.
        versions: the published ones, the newest first.
        live: the number of the one that the alias names.
        used: the numbers that any alias names.
        token: changes with each change of the alias.
    """

    entry_point: str
    name: str
    versions: tuple[Version, ...]
    live: int
    used: frozenset[int]
    token: str

    def at(self, moment: datetime) -> int | None:
        """The version that was the newest at ``moment``; None if there was none."""
        return next((each.number for each in self.versions if each.published_at <= moment), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What one deployment published.

    Attributes:
        revision: of the deployment.
        published_at: when its last version was published.
        versions: the numbers of its versions, by entry point.
        live: the entry points for which its version is live.
    """

    revision: str
    published_at: datetime
    versions: dict[str, int]
    live: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What happens to one function. ``to`` is None if it has no version of that time: it stays as it is."""

    function: FunctionVersions
    to: int | None

    @property
    def is_needed(self) -> bool:
        """Whether the alias names another version now."""
        return self.to not in (None, self.function.live)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """How a move ended. ``problem`` is empty if the alias names the version."""

    move: Move
    problem: str = ""
    note: str = ""


def read(deployed: Deployment) -> tuple[FunctionVersions, ...]:
    """The functions of a deployment with their versions.

    Raises:
        ConfigurationError: the outputs name no function.
        SwitchboardError: Lambda can't be reached, or a function has no alias ``live``.
    """
    functions, client = deployed.functions, deployed.client("lambda")
    if not functions:
        raise errors.ConfigurationError("the outputs of the deployment name no functions")
    return tuple(_read_function(client, entry_point, name) for entry_point, name in functions.items())


def _read_function(client: Any, entry_point: str, name: str) -> FunctionVersions:
    with aws.translated(f"list the versions of {name}"):
        pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=name)
        found = [each for page in pages for each in page["Versions"] if each["Version"] != _LATEST]
    with aws.translated(f"list the aliases of {name}"):
        aliases = client.get_paginator("list_aliases").paginate(FunctionName=name).build_full_result()["Aliases"]
    live = next((each for each in aliases if each["Name"] == ALIAS), None)
    if live is None:
        raise errors.ConfigurationError(f"{name} has no alias {ALIAS}: deploy it once with this version of Switchboard")
    versions = [
        Version(
            number=int(each["Version"]),
            published_at=clock.parse(each["LastModified"]),
            revision=revision_in(each.get("Description", "")) or UNKNOWN,
        )
        for each in found
    ]
    return FunctionVersions(
        entry_point=entry_point,
        name=name,
        versions=tuple(sorted(versions, key=lambda each: each.number, reverse=True)),
        live=int(live["FunctionVersion"]) if live["FunctionVersion"] != _LATEST else 0,
        used=frozenset(int(each["FunctionVersion"]) for each in aliases if each["FunctionVersion"] != _LATEST),
        token=live["RevisionId"],
    )


def releases(functions: Iterable[FunctionVersions]) -> list[Release]:
    """The deployments, the newest first. Pure.

    The same revision can be deployed again after another one: the second newest version of a revision is of another release.
    """
    found: dict[tuple[str, int], list[tuple[FunctionVersions, Version]]] = {}
    for function in functions:
        seen: dict[str, int] = {}
        for version in function.versions:
            nth = seen[version.revision] = seen.get(version.revision, 0) + 1
            found.setdefault((version.revision, nth), []).append((function, version))
    made = [
        Release(
            revision=revision,
            published_at=max(version.published_at for _, version in members),
            versions={function.entry_point: version.number for function, version in members},
            live=tuple(function.entry_point for function, version in members if version.number == function.live),
        )
        for (revision, _), members in found.items()
    ]
    return sorted(made, key=lambda release: release.published_at, reverse=True)


def live(functions: Sequence[FunctionVersions]) -> Release:
    """The newest deployment that is live, even if only in part. Pure.

    Raises:
        NotFoundError: no published version is live.
    """
    known = releases(functions)
    return known[min(_live_positions(known))]


def before(functions: Sequence[FunctionVersions]) -> Release:
    """The deployment before the newest that is live, even if only in part: a second try has the same target. Pure.

    Raises:
        NotFoundError: there is none.
    """
    known = releases(functions)
    newest = min(_live_positions(known))
    if newest + 1 == len(known):
        raise errors.NotFoundError(f"no deployment before {known[newest].revision} is kept")
    return known[newest + 1]


def after(functions: Sequence[FunctionVersions]) -> Release:
    """The deployment after the oldest that is live, even if only in part. Pure.

    Raises:
        NotFoundError: there is none.
    """
    known = releases(functions)
    oldest = max(_live_positions(known))
    if oldest == 0:
        raise errors.NotFoundError(f"{known[0].revision} is live, and no deployment came after it")
    return known[oldest - 1]


def _live_positions(known: Sequence[Release]) -> list[int]:
    found = [index for index, release in enumerate(known) if release.live]
    if not found:
        raise errors.NotFoundError("no published version is live: see deployments list")
    return found


def named(functions: Sequence[FunctionVersions], revision: str) -> Release:
    """The newest deployment whose revision equals or begins with ``revision``. Pure.

    Raises:
        NotFoundError: there is none.
        InvalidInputError: several revisions begin with it.
    """
    known = releases(functions)
    exact = [release for release in known if release.revision == revision]
    found = exact or [release for release in known if release.revision.startswith(revision)]
    if not found:
        raise errors.NotFoundError(f"no deployment of the revision {revision[:60]!r} is kept: see deployments list")
    if len({release.revision for release in found}) > 1:
        several = ", ".join(dict.fromkeys(release.revision for release in found))
        raise errors.InvalidInputError(f"several revisions begin with {revision}: {several}")
    return found[0]


def plan(functions: Iterable[FunctionVersions], release: Release) -> tuple[Move, ...]:
    """The moves that bring every function to its version after ``release``. Pure."""
    return tuple(
        Move(function=each, to=release.versions.get(each.entry_point) or each.at(release.published_at)) for each in functions
    )


def plan_one(function: FunctionVersions, number: int | None, *, forward: bool = False) -> Move:
    """The move of one function, to a version or to the one before or after the live one. Pure.

    Raises:
        NotFoundError: there is no such version.
    """
    numbers = [each.number for each in function.versions]
    if number is None:
        others = [each for each in reversed(numbers) if each > function.live] if forward else numbers
        number = next((each for each in others if forward or each < function.live), None)
    if number not in numbers:
        missing = f"version {number}" if number else f"version {'after' if forward else 'before'} {function.live}"
        raise errors.NotFoundError(f"{function.entry_point} has no {missing}: see deployments list --function")
    return Move(function=function, to=number)


def carry_out(client: Any, moves: Iterable[Move]) -> list[Moved]:
    """Move each alias, and then check all of them. One that fails does not stop the others."""
    done = [_carry_out(client, move) for move in moves if move.is_needed]
    return [_verify(client, moved) if not moved.problem else moved for moved in done]


def _carry_out(client: Any, move: Move) -> Moved:
    name, number = move.function.name, str(move.to)
    try:
        with aws.translated(f"read version {number} of {name}"):
            state = client.get_function_configuration(FunctionName=name, Qualifier=number).get("State", "Active")
        if state in ("Pending", "Failed"):
            return Moved(move=move, problem=f"version {number} can't run: its state is {state}")
        with aws.translated(f"move the alias of {name}"):
            # No weights: with them, a part of the calls would still run on another version.
            client.update_alias(
                FunctionName=name,
                Name=ALIAS,
                FunctionVersion=number,
                RoutingConfig={"AdditionalVersionWeights": {}},
                RevisionId=move.function.token,
            )
    except errors.SwitchboardError as error:
        changed = error.__cause__ and aws.error_code(error.__cause__) == "PreconditionFailedException"
        problem = "its alias was changed in the meantime: is a deployment running?" if changed else str(error)
        return Moved(move=move, problem=problem)
    # docs.aws.amazon.com/lambda/latest/dg/snapstart.html: a snapshot that nobody used for 14 days is deleted.
    note = "inactive: its first calls may fail until Lambda has prepared it again" if state == "Inactive" else ""
    return Moved(move=move, note=note)


def _verify(client: Any, moved: Moved) -> Moved:
    name = moved.move.function.name
    try:
        with aws.translated(f"read the alias of {name}"):
            found = client.get_alias(FunctionName=name, Name=ALIAS)["FunctionVersion"]
    except errors.SwitchboardError as error:
        return Moved(move=moved.move, problem=f"moved, but not verified: {error}")
    if found != str(moved.move.to):
        problem = f"its alias was moved to {found} in the meantime: is a deployment running?"
        return Moved(move=moved.move, problem=problem)
    return moved


def superseded(functions: Sequence[FunctionVersions], keep: int) -> list[tuple[FunctionVersions, int]]:
    """The versions that neither the last ``keep`` deployments nor an alias need. Pure."""
    kept = releases(functions)[:keep]
    found = []
    for function in functions:
        needed = function.used | {move.to for release in kept for move in plan([function], release)}
        found += [(function, each.number) for each in reversed(function.versions) if each.number not in needed]
    return found


def delete(client: Any, function: FunctionVersions, number: int) -> None:
    """Delete a version. Lambda refuses to delete one that an alias names.

    Raises:
        SwitchboardError: Lambda can't be reached, or refuses.
    """
    with aws.translated(f"delete version {number} of {function.name}"):
        client.delete_function(FunctionName=function.name, Qualifier=str(number))
