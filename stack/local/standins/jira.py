"""A stand-in for Jira Cloud: search, issues, properties and webhooks, over the state of jira_site.py.

Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/. Paths, pages, errors and the lag of search are the
real ones; workflows, screens and permissions are left out. Its controls, and its errors for faults, are in
docs/reference/local-cloud.md.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from werkzeug.wrappers import Request, Response

from stack.local.standins.base import StandIn, as_json, describe
from stack.local.standins.jira_site import STATUSES, Issue, Site
from stack.local.standins.jira_webhooks import Webhooks
from stack.local.standins.jql import JqlError, parse

API = "/rest/api/3/"
MAX_PAGE = 100
MAX_RECONCILED = 50
_UNBOUNDED = "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."
_EDITABLE = frozenset({"summary", "status", "assignee", "fix_versions", "labels", "updated"})


class Jira(StandIn):
    """The stand-in.

    Args:
        accounts: API tokens by e-mail; None accepts any pair.
        site: the issues at the start.
    """

    errors = ("rate_limited", "half_page", "expired_token", "anonymous")

    def __init__(self, accounts: Mapping[str, str] | None = None, site: Site | None = None) -> None:
        super().__init__()
        self.accounts = accounts
        self.site = site or Site()
        self.webhooks = Webhooks()
        self.requests: list[dict[str, Any]] = []

    def answer(self, request: Request) -> Response:
        """The real API's answer to a request."""
        body = request.get_data()
        with self.lock:
            entry = {"method": request.method, "path": request.path, "query": dict(request.args), "body": body.decode()}
            self.requests.append(entry)
            if not request.path.startswith(API):
                return _errors(404, "No such path.")
            if request.path != f"{API}serverInfo" and not self._knows(request):
                return _unauthenticated()
            try:
                return self._route(request, request.path.removeprefix(API).split("/"))
            except _BadRequestError as error:
                return as_json({"errorMessages": error.messages, "errors": error.fields}, 400)
            except JqlError as error:
                return _errors(400, str(error))

    def failure(self, request: Request, name: str, /) -> Response:
        """An error of the API, or the first half of the answer."""
        if name == "rate_limited":
            return as_json({"errorMessages": ["Rate limit exceeded."]}, 429, {"Retry-After": "1"})
        if name == "expired_token":
            return _unauthenticated()
        if name == "anonymous":
            return self._answer_anonymously(request)
        whole = self.answer(request).get_data()
        return Response(whole[: len(whole) // 2], content_type="application/json; charset=utf-8")

    def _answer_anonymously(self, request: Request) -> Response:
        with self.lock:
            hidden = self.site.hidden
            self.site.hidden = hidden | self.site.restricted
            try:
                path = request.path.removeprefix(API)
                is_public = path != "myself" and (request.method == "GET" or path == "search/jql")
                response = self.answer(request) if is_public else _unauthenticated()
            finally:
                self.site.hidden = hidden
        response.headers["X-Seraph-LoginReason"] = "AUTHENTICATED_FAILED"
        return response

    def control(self, request: Request, name: str) -> Response | None:
        """The controls that only this stand-in has."""
        given = request.get_json(force=True, silent=True) if request.get_data() else {}
        if not isinstance(given, dict):
            return as_json({"error": "the body must be a JSON object"}, 400)
        head, _, key = name.partition("/")
        try:
            with self.lock:
                return self._control_site(request.method, head, key, given)
        except (KeyError, TypeError, ValueError) as error:
            return as_json({"error": describe(error)}, 400)

    def reset(self) -> None:
        """Forget the issues, the requests and the webhooks."""
        self.site = Site()
        self.requests.clear()
        self.webhooks.reset()

    def seed(self, project: str, count: int, **fields: Any) -> None:
        """Create ``count`` issues without webhooks."""
        with self.lock:
            self.site.add_project(project)
            for number in range(count):
                self.site.create(project, f"Issue {number + 1} of {project}", **_fields(fields))

    def create(self, project: str, summary: str, **fields: Any) -> Issue:
        """Create an issue as a user would, with a webhook."""
        with self.lock:
            issue = self.site.create(project, summary, **_fields(fields))
            self.webhooks.send("jira:issue_created", issue, self.site.now())
            return issue

    def edit(self, key: str, **fields: Any) -> Issue:
        """Edit an issue as a user would; ``project`` moves it."""
        with self.lock:
            issue = self._issue(key)
            if "project" in fields:
                moved = self.site.move(issue, fields["project"])
                self.webhooks.send("jira:issue_updated", moved, self.site.now(), moved_from=issue.key)
                return moved
            changed = self.site.edit(issue, **_fields(fields))
            self.webhooks.send("jira:issue_updated", changed, self.site.now())
            return changed

    def delete(self, key: str) -> None:
        """Delete an issue as a user would."""
        with self.lock:
            issue = self._issue(key)
            self.site.delete(issue)
            self.webhooks.send("jira:issue_deleted", issue, self.site.now())

    def _control_site(self, method: str, head: str, key: str, given: dict[str, Any]) -> Response | None:
        match (method, head):
            case ("POST", "seed"):
                self.seed(given.pop("project"), int(given.pop("count")), **given)
            case ("POST", "issues"):
                return as_json(self.create(given.pop("project"), given.pop("summary"), **given).render(), 201)
            case ("PATCH", "issues"):
                return as_json(self.edit(key, **given).render())
            case ("DELETE", "issues"):
                self.delete(key)
            case ("POST", "settings"):
                self._apply(given)
            case ("GET", "requests"):
                return as_json({"requests": self.requests})
            case ("GET", "webhooks"):
                return as_json({"webhooks": self.webhooks.sent})
            case _:
                return None
        return as_json({"ok": True})

    def _apply(self, settings: dict[str, Any]) -> None:
        targets: dict[str, tuple[Any, str, Callable[[Any], Any]]] = {
            "lag_seconds": (self.site, "lag", lambda seconds: timedelta(seconds=seconds)),
            "hidden": (self.site, "hidden", set),
            "restricted": (self.site, "restricted", set),
            "webhook_url": (self.webhooks, "url", str),
            "webhook_secret": (self.webhooks, "secret", str),
        }
        for name, value in settings.items():
            owner, attribute, convert = targets[name]
            setattr(owner, attribute, convert(value))

    def _issue(self, key: str) -> Issue:
        issue = self.site.find(key)
        if issue is None:
            raise KeyError(key)
        return issue

    def _knows(self, request: Request) -> bool:
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        try:
            email, _, token = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        if scheme.lower() != "basic" or not (email and token):
            return False
        return self.accounts is None or self.accounts.get(email) == token

    def _route(self, request: Request, parts: list[str]) -> Response:
        match (request.method, parts):
            case ("GET" | "POST", ["search", "jql"]):
                return self._search(request)
            case ("GET" | "POST", ["search"]):
                return _errors(410, "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API.")
            case ("POST", ["issue"]):
                return self._create(_json(request))
            case ("GET" | "PUT", ["issue", key, "properties", name]):
                return self._property(request, key, name)
            case ("GET", _):
                return self._show(request, parts)
        return _errors(404, "No such path.")

    def _show(self, request: Request, parts: list[str]) -> Response:
        match parts:
            case ["serverInfo"]:
                return as_json({"version": "1001.0.0-SNAPSHOT", "deploymentType": "Cloud", "baseUrl": request.host_url})
            case ["myself"]:
                return as_json({"accountId": "account-of-the-token", "displayName": "Switchboard", "active": True})
            case ["project", project] if project.upper() in self.site.projects:
                return as_json({"id": "10000", "key": project.upper(), "name": project.title()})
            case ["project", project]:
                return _errors(404, f"No project could be found with key '{project}'.")
            case ["issue", key]:
                issue = self.site.find(key)
                return as_json(issue.render(_list(request.args.get("fields")))) if issue else _gone()
        return _errors(404, "No such path.")

    def _search(self, request: Request) -> Response:
        given: dict[str, Any] = _json(request) if request.method == "POST" else dict(request.args)
        fields = given.get("fields") or []
        if isinstance(fields, str):
            fields = fields.split(",")
        reconcile = given.get("reconcileIssues") or []
        ids = {int(value) for value in (reconcile.split(",") if isinstance(reconcile, str) else reconcile)}
        if len(ids) > MAX_RECONCILED:
            raise _BadRequestError([f"reconcileIssues holds more than {MAX_RECONCILED} ids."])
        jql = str(given.get("jql", ""))
        query = parse(jql)
        if not query.clauses:
            raise _BadRequestError([_UNBOUNDED])
        size = max(1, min(int(given.get("maxResults") or 50), MAX_PAGE))
        found = self.site.search(query, _after(given.get("nextPageToken"), jql), ids)
        page = [pair for pair, _ in zip(found, range(size + 1), strict=False)]
        more = len(page) > size
        issues = [issue.render(fields) if fields else {"id": str(issue.id)} for _, issue in page[:size]]
        answer: dict[str, Any] = {"issues": issues, "isLast": not more}
        if more:
            place = [*page[size - 1][0], jql]
            answer["nextPageToken"] = base64.urlsafe_b64encode(json.dumps(place).encode()).decode()
        return as_json(answer)

    def _create(self, given: dict[str, Any]) -> Response:
        fields = given.get("fields")
        if not isinstance(fields, dict):
            raise _BadRequestError(["Field 'fields' is required."])
        wrong = _wrong_fields(fields, self.site.projects)
        if wrong:
            raise _BadRequestError([], wrong)
        issue = self.create(
            fields["project"]["key"].upper(),
            fields["summary"],
            labels=fields.get("labels") or (),
            description=fields.get("description"),
            issue_type=fields["issuetype"].get("name", "Task"),
        )
        for entry in given.get("properties") or []:
            self.site.properties.setdefault(issue.id, {})[entry["key"]] = entry["value"]
        return as_json({"id": str(issue.id), "key": issue.key, "self": f"{API}issue/{issue.id}"}, 201)

    def _property(self, request: Request, key: str, name: str) -> Response:
        issue = self.site.find(key)
        if issue is None:
            return _gone()
        properties = self.site.properties.setdefault(issue.id, {})
        if request.method == "PUT":
            try:
                value = json.loads(request.get_data())
            except ValueError:
                raise _BadRequestError(["The property value is not JSON."]) from None
            status = 200 if name in properties else 201
            properties[name] = value
            return Response(status=status)
        if name not in properties:
            return _errors(404, f"The property with key '{name}' does not exist.")
        return as_json({"key": name, "value": properties[name]})


def _unauthenticated() -> Response:
    return Response("Client must be authenticated to access this resource.", 401, content_type="text/plain")


class _BadRequestError(Exception):
    def __init__(self, messages: list[str], fields: dict[str, str] | None = None) -> None:
        super().__init__()
        self.messages = messages
        self.fields = fields or {}


def _wrong_fields(fields: dict[str, Any], projects: list[str]) -> dict[str, str]:
    wrong: dict[str, str] = {}
    project = fields.get("project")
    if not isinstance(project, dict) or str(project.get("key", "")).upper() not in projects:
        wrong["project"] = "valid project is required"
    if not isinstance(fields.get("issuetype"), dict):
        wrong["issuetype"] = "Specify an issue type"
    summary = fields.get("summary")
    if not isinstance(summary, str) or not summary.strip():
        wrong["summary"] = "You must specify a summary of the issue."
    elif len(summary) > 255 or "\n" in summary:
        wrong["summary"] = "The summary is invalid because it contains newline characters or is too long."
    description = fields.get("description")
    if description is not None and not _is_adf(description):
        wrong["description"] = "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
    labels = fields.get("labels") or []
    if not isinstance(labels, list) or not all(isinstance(label, str) and label and " " not in label for label in labels):
        wrong["labels"] = "The label contains spaces which is invalid."
    return wrong


def _is_adf(value: Any) -> bool:
    """Whether ``value`` is a document: the outer shape, and a type on every node."""
    if not isinstance(value, dict) or value.get("type") != "doc" or value.get("version") != 1:
        return False
    nodes = [value]
    while nodes:
        node = nodes.pop()
        children = node.get("content", [])
        if not isinstance(node.get("type"), str) or not isinstance(children, list):
            return False
        if node["type"] == "text" and not (isinstance(node.get("text"), str) and node["text"]):
            return False
        if not all(isinstance(child, dict) for child in children):
            return False
        nodes.extend(children)
    return isinstance(value.get("content"), list)


def _fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of an issue from JSON."""
    unknown = given.keys() - _EDITABLE - {"description", "issue_type"}
    if unknown:
        raise ValueError(f"unknown fields {sorted(unknown)}; known are {sorted(_EDITABLE)}")
    fields = {name: tuple(value) if name in {"fix_versions", "labels"} else value for name, value in given.items()}
    if "updated" in fields and isinstance(fields["updated"], str):
        fields["updated"] = datetime.fromisoformat(fields["updated"]).astimezone(UTC)
    if fields.get("status", STATUSES[0]) not in STATUSES:
        raise ValueError(f"status is one of {', '.join(STATUSES)}")
    return fields


def _after(token: Any, jql: str) -> tuple[Any, ...] | None:
    if not token:
        return None
    try:
        *place, asked = json.loads(base64.urlsafe_b64decode(str(token)))
    except ValueError:
        raise _BadRequestError(["The provided next page token is invalid."]) from None
    if asked != jql:
        raise _BadRequestError(["The provided next page token belongs to another query."])
    return tuple(place)


def _json(request: Request) -> dict[str, Any]:
    try:
        value = json.loads(request.get_data())
    except (ValueError, RecursionError):
        raise _BadRequestError(["There was an error parsing JSON. Check that your request body is valid."]) from None
    if not isinstance(value, dict):
        raise _BadRequestError(["Invalid request payload. Refer to the REST API documentation and try again."])
    return value


def _list(text: str | None) -> list[str] | None:
    return text.split(",") if text else None


def _errors(status: int, *messages: str) -> Response:
    return as_json({"errorMessages": list(messages), "errors": {}}, status)


def _gone() -> Response:
    return _errors(404, "Issue does not exist or you do not have permission to see it.")
