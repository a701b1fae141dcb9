"""A small Jira to compare the store with: what it sends, and the final state of each of its issues.

It does not copy the store's rules. Issues are created, edited, deleted, re-created under the same key, moved away and moved
back by Jira's own clock, and each change is sent as a real webhook body.
"""

import json
from datetime import UTC, datetime, timedelta

from lib.platform import clock

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
VERSIONS = ("1.0", "2.0", "3.0")
STATUSES = ("To Do", "In Progress", "Done")
ACCOUNTS = ("account-1", "account-2")
PROJECTS = ("OPS", "WEB")


class Site:
    """A Jira of two projects: a clock, the issues that live, and the webhooks it has sent."""

    def __init__(self):
        self.time = START
        self.numbers = dict.fromkeys(PROJECTS, 0)
        self.live = {}
        self.keys_ever = set()
        self.ids = 0

    def tick(self, milliseconds):
        self.time += timedelta(milliseconds=milliseconds)

    def create(self, key, values):
        self.ids += 1
        self.live[key] = {"id": str(self.ids), "homes": {}, "updated": self.time, **values}
        self.keys_ever.add(key)
        return self.webhook("jira:issue_created", key)

    def move(self, key, project):
        issue = self.live.pop(key)
        issue["homes"][key.split("-")[0]] = key
        target = issue["homes"].get(project) or self.next_key(project)  # Jira gives an issue its old key back
        issue["updated"] = self.time
        self.live[target] = issue
        self.keys_ever.add(target)
        item = {"field": "Key", "fieldtype": "jira", "fromString": key, "toString": target}
        return self.webhook("jira:issue_updated", target, changelog={"id": "1", "items": [item]})

    def dead_keys(self):
        """The keys that are free again: not those that Jira would give back to a moved issue."""
        kept = {key for issue in self.live.values() for key in issue["homes"].values()}
        return sorted(self.keys_ever - self.live.keys() - kept)

    def next_key(self, project):
        self.numbers[project] += 1
        return f"{project}-{self.numbers[project]}"

    def webhook(self, event, key, issue=None, **more):
        issue = issue or self.live[key]
        self.tick(1)
        body = {
            "timestamp": clock.epoch_ms(self.time),
            "webhookEvent": event,
            "issue": {
                "id": issue["id"],
                "key": key,
                "fields": {
                    "summary": f"issue {issue['id']}",
                    "updated": issue["updated"].astimezone(clock._PHOENIX).strftime("%Y-%m-%dT%H:%M:%S.%f%z"),
                    "status": {"name": issue["status"]},
                    "assignee": issue["assignee"] and {"accountId": issue["assignee"]},
                    "fixVersions": [{"name": name} for name in issue["versions"]],
                },
            },
            **more,
        }
        return json.dumps(body).encode()


def assert_as_in_jira(site, reader):
    """Every key that ever was is as it is in Jira, and every list has just the issues that belong there."""
    live = site.live
    for key in site.keys_ever:
        head = reader.latest(key)
        assert head is not None, key
        assert head.deleted == (key not in live), key
        if key in live:
            assert _as_stored(head) == _as_in_jira(live[key]), key
    assert _found(reader.by_project, PROJECTS) == sorted(live)
    for status in STATUSES:
        assert _found(reader.by_status, (status,)) == sorted(k for k in live if live[k]["status"] == status)
    for name in VERSIONS:
        assert _found(reader.by_fix_version, (name,)) == sorted(k for k in live if name in live[k]["versions"])
    assert _found(reader.by_assignee, ACCOUNTS) == sorted(k for k in live if live[k]["assignee"])


def _found(read, names):
    return sorted(issue.issue_key for name in names for issue in read(name))


def _as_stored(head):
    return (head.issue_id, head.fields.status, head.fields.assignee, head.fields.fix_versions)


def _as_in_jira(issue):
    return (issue["id"], issue["status"], issue["assignee"], tuple(issue["versions"]))
