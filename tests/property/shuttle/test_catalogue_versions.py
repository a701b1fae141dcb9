"""However imports, rollbacks, cancels and crashes interleave, the versions of a catalogue form one chain.

Each import adds one row, named after its job, to the version that it merges with. So the rows of a version show what happened
before it: the rows of a job that completed are in every version from its own on, until a rollback.
"""

import contextlib
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lib.platform import errors
from lib.shuttle.catalogue.versions import Catalogue
from lib.shuttle.jobs.job import JobStatus
from lib.shuttle.jobs.lifecycle import JobBusyError
from lib.shuttle.jobs.transitions import IllegalTransitionError, TakenOverError
from tests.support.concurrency import Actor, Crash, Stage
from tests.support.project.examples import examples
from tests.support.shuttle.builders import DOMAIN, a_shop, a_table, limits
from tests.support.shuttle.catalogues import Imports

STEPS = st.lists(
    st.tuples(
        st.integers(0, 7),
        st.sampled_from(["go", "go", "go", "go", "go", "crash_before", "crash_after", "lost_before", "lost_after"]),
    ),
    max_size=60,
)
WORKS = st.lists(st.sampled_from(["import", "import", "again", "rollback", "cancel"]), min_size=2, max_size=6)


class Staged:
    """A client whose calls take turns, and whose answers may be lost."""

    def __init__(self, stage: Stage, client: Any) -> None:
        self._stage = stage
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return lambda **request: self._stage.effect(name, partial(getattr(self._client, name), **request), lost)


def lost(fate: str) -> Exception:
    return errors.ConnectionLostError(fate)


@settings(max_examples=examples(90, thorough=1_500), deadline=None)
@given(works=WORKS, steps=STEPS)
def test_versions_form_one_chain_with_each_completed_job_once(works: list[str], steps: list[tuple[int, str]]) -> None:
    table = a_table()
    table.registry.install(a_shop(feature_limits=limits()))
    imports = Imports(table)
    imports.imported(2)
    stage = Stage()
    client = Staged(stage, table.client.client)
    jobs = [imports.order() for _ in works]
    actors = [Actor(stage, work, partial(act, imports, client, work, jobs, number), 0.0) for number, work in enumerate(works)]
    seen = [table.repository.catalogue(DOMAIN)]

    for which, fate in [*steps, *([(0, "go")] * 10_000)]:
        alive = [actor for actor in actors if not actor.done]
        if not alive:
            break
        alive[which % len(alive)].step(fate)
        current = table.repository.catalogue(DOMAIN)
        if current != seen[-1]:
            seen.append(current)
            check_current(imports, current)

    for actor in actors:
        assert actor.error is None or isinstance(actor.error, (Crash, errors.AmbiguousError)), actor.error
    table.clock.advance(minutes=17)
    for job_id in jobs:  # the next delivery of each message
        again(imports, job_id)

    check_chain(imports, seen[0])
    stored = {job.job_id: job for job in table.repository.jobs(DOMAIN)}
    assert all(job.status.is_final for job in stored.values())
    assert table.active_jobs() == set()
    chain = sorted(imports.store().versions(DOMAIN), key=lambda version: version.version)
    made = [version.job_id for version in chain if version.restored_from is None]
    completed = [job_id for job_id, job in stored.items() if job.status is JobStatus.COMPLETED]
    assert sorted(made) == sorted(completed)
    for version in chain:
        if version.restored_from is None:
            assert stored[version.job_id].catalogue_version == version.version
    events = [event.detail_type for event in table.repository.pending_events(table.clock())]
    assert events.count("ImportCompleted") == len(completed)
    assert events.count("CatalogueRolledBack") == len(chain) - len(made)


def act(imports: Imports, client: Any, work: str, jobs: list[str], number: int) -> None:
    try:
        match work:
            case "import":
                imports.run(jobs[number], client)
            case "again":  # the message of the job before was delivered twice
                imports.run(jobs[number - 1], client)
            case "rollback":
                imports.store(client).rollback(DOMAIN, 1)
            case "cancel":
                imports.jobs(client).cancel(DOMAIN, jobs[number - 1])
    except (JobBusyError, IllegalTransitionError, TakenOverError, errors.UnavailableError):
        pass


def again(imports: Imports, job_id: str) -> None:
    with contextlib.suppress(IllegalTransitionError):
        imports.run(job_id)


def check_current(imports: Imports, current: Catalogue) -> None:
    """Whoever reads now finds a whole version."""
    assert current.object_key in imports.objects
    if current.version > 1:
        assert imports.table.repository.replaced_catalogue(DOMAIN, current.version - 1).version == current.version - 1


def check_chain(imports: Imports, first: Catalogue) -> None:
    """Each version has the rows of the one before and its job's; a restored one has those of the old one."""
    chain = {version.version: version for version in imports.store().versions(DOMAIN)}
    assert sorted(chain) == list(range(1, len(chain) + 1))
    assert len(chain) >= first.version
    for number, version in chain.items():
        if version.restored_from is not None:
            assert version.object_key == chain[version.restored_from].object_key
        elif number > 1:
            assert imports.rows(version) == imports.rows(chain[number - 1]) | {version.job_id}
            assert version.job_id not in imports.rows(chain[number - 1])
