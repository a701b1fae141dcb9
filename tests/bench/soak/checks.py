"""What must be true after the load, of what people sent and of what is stored. Pure: histories in, problems out."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from tests.bench.soak.history import COMMENT, FORGED, Sent
from tests.bench.soak.shops import Catalogue, JobResult

JiraState = tuple[str | None, str | None, str | None, tuple[str, ...]]
"""Id, status, assignee and fix versions of an issue."""

_OF_SERVERS = {500, 502, 503, 504}
"""What a sender gets while something fails, and tries again."""

RETRIED_SECONDS = 180.0
"""So long after a lost answer, the retry of an event may send it a second time (docs/reference/faults.md)."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check: how many facts it looked at, and what is wrong. A check that looked at nothing has failed."""

    name: str
    looked_at: int
    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether it looked at something, and found nothing wrong."""
        return self.looked_at > 0 and not self.problems


def check(name: str, facts: Iterable[str | None]) -> Check:
    """The check of facts: None for one that is as it should be, or the problem in words."""
    found = list(facts)
    return Check(name, len(found), tuple(problem for problem in found if problem is not None))


def versions_kept(webhooks: Sequence[Sent], versions: Mapping[tuple[str, str], int]) -> Check:
    """Each accepted webhook is a version of its issue, unless the store has a newer event of the same time.

    ``versions`` are the times of events (epoch ms) by issue and time of the version.
    """

    def fact(sent: Sent) -> str | None:
        answer = sent.answer
        at = str(answer.get("updated_at"))
        if answer.get("issue_key") != sent.facts["keys"][0]:
            return f"{sent.name} was accepted as {answer}"
        stored = versions.get((sent.facts["keys"][0], at))
        if stored is None:
            return f"{sent.name} was accepted, and has no version at {at}"
        return None if stored >= sent.facts["event_at"] else f"{sent.name}: the version at {at} is of an older event"

    return check("every accepted webhook is a stored version", (fact(sent) for sent in webhooks if sent.accepted))


def issues_match(
    name: str, jira: Mapping[str, JiraState | None], stored: Mapping[str, JiraState | None], apart_from: Set[str] = frozenset()
) -> Check:
    """Each issue is stored as it is in Jira; None is a deleted or moved one. Keys of ``apart_from`` are not compared."""

    def fact(key: str) -> str | None:
        if key not in stored:
            return f"{key} is not stored"
        return None if stored[key] == jira[key] else f"{key} is {stored[key]}, and in Jira {jira[key]}"

    return check(name, (fact(key) for key in sorted(jira.keys() - apart_from)))


def lists_match(jira: Mapping[str, JiraState | None], listed: Mapping[str, Set[str]]) -> Check:
    """The index lists exactly the live issues of each project."""

    def fact(project: str) -> str | None:
        live = {key for key, state in jira.items() if state is not None and key.startswith(f"{project}-")}
        extra, missing = sorted(listed[project] - live), sorted(live - listed[project])
        return f"the list of {project} has {extra} too many and lacks {missing}" if extra or missing else None

    return check("the list of each project is Jira's", (fact(project) for project in sorted(listed)))


def commits_linked(pushes: Sequence[Sent], links: Set[tuple[str, str]], keys_of: Callable[[str], Set[str]]) -> Check:
    """Each accepted push is linked to each issue that it names. ``keys_of`` are all keys that an issue has had."""

    def fact(sent: Sent, key: str) -> str | None:
        linked = any((other, sent.facts["sha"]) in links for other in keys_of(key))
        return None if linked else f"{sent.name} is not linked to {key}"

    accepted = (sent for sent in pushes if sent.accepted)
    return check("every accepted commit is linked", (fact(sent, key) for sent in accepted for key in sent.facts["keys"]))


def notified_once(events: Sequence[Sent], channels: Mapping[str, Counter[str]], lost_answers: Sequence[float]) -> Check:
    """Each accepted lease event was sent once per channel; twice only if an answer may have been lost meanwhile.

    ``lost_answers`` are the times at which the function was killed, or at which the AWS API took too long.
    """

    def fact(sent: Sent, channel: str) -> str | None:
        count = channels[channel][sent.facts["id"]]
        is_unclear = any(sent.overlaps(at - RETRIED_SECONDS, at + RETRIED_SECONDS) for at in lost_answers)
        allowed = {1, 2} if is_unclear else {1}
        return None if count in allowed else f"{sent.name} was sent {count} times on {channel}"

    accepted = [sent for sent in events if sent.accepted]
    return check("every lease event is sent once per channel", itertools.starmap(fact, itertools.product(accepted, channels)))


def drafts_created_once(
    drafts: Sequence[Sent], clicks: Sequence[Sent], decisions: Mapping[str, str], issues: Mapping[str, int]
) -> Check:
    """Each accepted draft is shown, and has the decision of a click; each approved one has one issue, every other none.

    ``decisions`` are ``approved`` or ``rejected`` by session; ``issues`` how many issues have the title of a draft.
    """
    words = {"approve_draft": "approved", "reject_draft": "rejected"}
    by_session: dict[str, list[Sent]] = {}
    for click in clicks:
        by_session.setdefault(click.facts["session"], []).append(click)

    def fact(draft: Sent) -> str | None:
        session, count = draft.facts["session"], issues.get(draft.name, 0)
        decision = decisions.get(session)
        clicked = by_session.get(session, [])
        if not draft.facts.get("shown"):
            return f"{draft.name} was never shown"
        if decision is None and any(click.accepted for click in clicked):
            return f"{draft.name}: the accepted click was forgotten"
        if decision is not None and decision not in {words[click.facts["action"]] for click in clicked}:
            return f"{draft.name} is {decision}, which nobody clicked"
        expected = 1 if decision == "approved" else 0
        return None if count == expected else f"{draft.name} is {decision or 'not decided'}, and has {count} issues"

    return check("every approved draft is one issue, and no other is", (fact(draft) for draft in drafts if draft.accepted))


def catalogues_equal(models: Mapping[str, Catalogue], stored: Mapping[str, Catalogue]) -> Check:
    """Each shop's exported catalogue is the model's."""

    def fact(domain: str) -> str | None:
        model, found = models[domain], stored.get(domain, {})
        wrong = sorted(sku for sku in model.keys() | found.keys() if model.get(sku) != found.get(sku))
        return f"{domain} differs in {wrong}" if wrong else None

    return check("every catalogue is the model's", (fact(domain) for domain in models))


def jobs_as_expected(jobs: Sequence[JobResult]) -> Check:
    """Each job ended, with the counts of the model."""

    def fact(job: JobResult) -> str | None:
        return None if job.found == job.expected else f"{job.name}: expected {job.expected}, found {dict(job.found)}"

    return check("every Shuttle job ends as the model says", map(fact, jobs))


def senders_know(sent: Sequence[Sent]) -> Check:
    """Each attempt was answered, and what was not accepted got an answer that says so."""

    def fact(each: Sent) -> str | None:
        silent = [attempt for attempt in each.attempts if attempt.status == 0]
        if silent:
            return f"{each.name} got no answer at {silent[0].at:.0f} s: {silent[0].text}"
        if not each.attempts:
            return f"{each.name} was never sent"
        wrong = [a.status for a in each.attempts if not a.accepted and a.status not in {401, 429} | _OF_SERVERS]
        return f"{each.name} was answered {wrong}" if wrong else None

    return check("every sender got an answer", map(fact, sent))


def nothing_given_up(sent: Sequence[Sent]) -> Check:
    """Each request of a sender that retries long enough was accepted in the end."""
    return check(
        "every patient sender succeeds",
        (None if each.accepted else f"{each.name} was given up after {len(each.attempts)} attempts" for each in sent),
    )


def forged_refused(forged: Sequence[Sent], stored: Set[str]) -> Check:
    """Each request with a wrong signature got 401, and nothing has its key, commit or name."""

    def fact(sent: Sent) -> str | None:
        statuses = {attempt.status for attempt in sent.attempts} - _OF_SERVERS
        if statuses != {401}:
            return f"{sent.name} at {sent.facts['path']} was answered {sorted(statuses)}"
        traces = stored & {sent.name, sent.facts["key"], sent.facts["sha"]}
        return f"{sent.name} left {sorted(traces)}" if traces else None

    return check("every wrong signature is refused and leaves nothing", (fact(each) for each in forged if each.kind == FORGED))


def dead_letters_planned(letters: Mapping[str, Sequence[str]], planned: int, mark: str) -> Check:
    """The dead letters are those that the plan put there, which contain ``mark``, and no other."""
    bodies = [(queue, body) for queue, found in letters.items() for body in found]
    facts: list[str | None] = [None if mark in body else f"{queue} has {body[:200]}" for queue, body in bodies]
    marked = sum(mark in body for _, body in bodies)
    facts.append(None if marked == planned else f"{marked} of {planned} poison messages are dead letters")
    return check("dead-letter queues have what the plan put there", facts)


def fetched(comments: Sequence[Sent], live: Set[str], correlated: Set[str], keys_of: Callable[[str], Set[str]]) -> Check:
    """Each live issue with an accepted comment was fetched: the worker has written its correlation."""
    keys = {key for sent in comments if sent.kind == COMMENT and sent.accepted for key in sent.facts["keys"]} & live
    return check(
        "every commented issue was worked on",
        (None if keys_of(key) & correlated else f"{key} has no correlation" for key in sorted(keys)),
    )


def commands_succeeded(commands: Sequence[Any], allowed: Callable[[Any], bool]) -> Check:
    """Each command of the operator succeeded, or was allowed to fail."""
    return check(
        "every command of the operator succeeds",
        (
            None
            if command.code == 0 or allowed(command)
            else f"{command.words} ended with {command.code}: {command.output[-300:]}"
            for command in commands
        ),
    )
