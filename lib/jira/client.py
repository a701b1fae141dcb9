"""The part of Jira's REST API (Cloud, v3) that Switchboard needs. Every failure is an error of lib.platform.errors.

It uses ``requests`` without retries of its own: they could send a create twice. Reads are tried up to five times, with
exponential back-off and jitter, and Retry-After is honoured; writes are sent once. Only the worker, the sweep, the health check
and the command line import this module.

Where anonymous callers are allowed, Jira answers a wrong or expired token like an anonymous caller, with 200 or 404. The header
``X-Seraph-LoginReason`` shows it: such an answer is a CredentialRefusedError with any status.
Source: https://developer.atlassian.com/cloud/jira/platform/rest/v3/
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import requests
import tenacity

from lib.jira.paging import IDLE_PAUSE_SECONDS, Page, issues_of, read_pages
from lib.jira.webhooks import REST_FIELDS
from lib.platform import clock, errors, http_errors

if TYPE_CHECKING:
    from lib.platform.environment.jira_worker import JiraWorkerEnvironment
    from lib.platform.environment.reconciliation import ReconciliationEnvironment
    from lib.platform.secrets import Secret

MAX_PAGE = 100
"""The most issues per page if fields are requested."""

ATTEMPTS = 5
_CONNECT_TIMEOUT_SECONDS = 3.0
_READ_TIMEOUT_SECONDS = 20.0
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 30.0
_LOGIN_HEADER = "X-Seraph-LoginReason"
_REFUSED_LOGINS = frozenset({"AUTHENTICATED_FAILED", "AUTHENTICATION_DENIED"})

Result = TypeVar("Result")
Json = dict[str, Any]


class RateLimitedError(errors.ThrottledError):
    """Jira answered 429. ``retry_after_seconds`` is from Retry-After; None without one."""

    def __init__(self, text: str, retry_after_seconds: float | None) -> None:
        super().__init__(text)
        self.retry_after_seconds = retry_after_seconds


class RefusedLoginError(errors.CredentialRefusedError):
    """Jira did not accept the credentials and answered like an anonymous caller. ``status`` is that of the answer."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class JiraClient:
    """One Jira site, with the e-mail and the API token of one account.

    A wait that is longer than ``seconds_left()`` is not started. ``timeout`` is in seconds: to connect, and for an answer.
    """

    def __init__(
        self,
        base_url: str,
        email: str,
        api_token: "Secret",
        *,
        seconds_left: Callable[[], float] = lambda: float("inf"),
        sleep: Callable[[float], None] = time.sleep,
        timeout: tuple[float, float] = (_CONNECT_TIMEOUT_SECONDS, _READ_TIMEOUT_SECONDS),
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._session = requests.Session()
        self._session.headers.update({"Accept": "application/json", "User-Agent": "switchboard"})
        self._timeout = timeout
        self._seconds_left = seconds_left
        self._sleep = sleep
        self._email = email
        self._api_token = api_token
        self.with_current_token(lambda: None)

    def with_current_token(self, work: Callable[[], Result]) -> Result:
        """Run ``work``, and once more from its start if Jira refused the token and it has been rotated since it was read.

        All requests until the next call send the same token. A check of the credentials is a check of the answers before it,
        so both belong in one ``work``, and no request replaces the token on its own (docs/adr/0025).

        Raises:
            ConfigurationError: the secret is not set.
            SwitchboardError: ``work`` raised it, or the secret can't be read.
        """

        def attempt(token: str) -> Result:
            self._session.auth = (self._email, token)
            return work()

        return self._api_token.use(attempt)

    def fetch(self, key_or_id: str, fields: Sequence[str] = REST_FIELDS) -> Json:
        """One issue from Jira's database, without search lag. A moved issue is returned under its new key.

        Raises:
            NotFoundError: the issue does not exist, or this account may not see it: Jira does not distinguish the two.
            SwitchboardError: see :meth:`search`.
        """
        return self._read(f"fetch issue {key_or_id[:40]}", f"issue/{_quoted(key_or_id)}", {"fields": ",".join(fields)})

    def search(
        self,
        jql: str,
        *,
        fields: Sequence[str] = REST_FIELDS,
        token: str | None = None,
        reconcile: Sequence[str] = (),
        page_size: int = MAX_PAGE,
    ) -> Page:
        """One page of a search.

        Args:
            jql: bounded JQL. A search bounded by a key that does not exist finds nothing, without an error.
            fields: to return of each issue.
            token: from the previous page; None for the first. It is valid for 7 days.
            reconcile: ids of at most 50 issues for which the search must not lag.
            page_size: at most 100. A page may be shorter, or empty, without being the last.

        The last page has ``isLast: true``, even with a token, or no token (or an empty one), unless it has ``isLast: false``.

        Raises:
            InvalidInputError: Jira refuses the JQL (an unknown project is one reason).
            CredentialRefusedError: the token is wrong, expired or lacks a permission.
            RateLimitedError: 429, five times or for longer than there is time.
            UnavailableError, AmbiguousError: 5xx, no connection or a broken one, five times.
            PermanentError: the answer is not as the API documents it.
        """
        body: Json = {"jql": jql, "fields": list(fields), "maxResults": min(page_size, MAX_PAGE)}
        if token is not None:
            body["nextPageToken"] = token
        if reconcile:
            body["reconcileIssues"] = [int(issue_id) for issue_id in reconcile]
        answer = self._with_retries(lambda: self._ask("search issues", "POST", "search/jql", json=body))
        issues, next_token, is_last = answer.get("issues"), answer.get("nextPageToken"), answer.get("isLast")
        if not isinstance(issues, list) or not isinstance(next_token, str | None) or not isinstance(is_last, bool | None):
            raise errors.PermanentError("Jira's search did not answer with a page of issues")
        if is_last is False and not next_token:
            raise errors.PermanentError("Jira's search announced another page without its token")
        return Page(tuple(issues), None if is_last else next_token or None)

    def pages(
        self,
        jql: str,
        *,
        fields: Sequence[str] = REST_FIELDS,
        token: str | None = None,
        has_time: Callable[[], bool] = lambda: True,
        pages_before: int = 0,
    ) -> Iterator[Page]:
        """All pages of a search: see :meth:`search`, and :func:`lib.jira.paging.read_pages` for the limits."""
        return read_pages(
            lambda next_token: self.search(jql, fields=fields, token=next_token),
            token,
            sleep=self._sleep,
            has_time=has_time,
            pages_before=pages_before,
        )

    def search_all(self, jql: str, *, fields: Sequence[str] = REST_FIELDS, reconcile: Sequence[str] = ()) -> list[Json]:
        """All issues of a search that finds few, each with its ``key``.

        Raises:
            UnavailableError: there was no time for all pages.
            PermanentError: an entry is not an issue, or the listing does not end.
            SwitchboardError: see :meth:`search`.
        """
        pages = list(
            read_pages(
                lambda token: self.search(jql, fields=fields, token=token, reconcile=reconcile),
                sleep=self._sleep,
                has_time=lambda: self._seconds_left() > IDLE_PAUSE_SECONDS,
            )
        )
        if pages[-1].next_token is not None:
            raise errors.UnavailableError("no time is left to read all pages of Jira's search")
        return issues_of(pages)

    def sees_project(self, project_key: str) -> bool:
        """Whether the project exists and this account may browse it. Raises as :meth:`search`."""
        try:
            self._read(f"read project {project_key}", f"project/{_quoted(project_key)}", {})
        except errors.NotFoundError:
            return False
        return True

    def check_credentials(self) -> None:
        """Check that Jira answers and accepts the token. Raises as :meth:`search`."""
        self._read("read the account of the API token", "myself", {})

    def create(self, fields: Mapping[str, Any], *, properties: Mapping[str, Any] | None = None) -> str:
        """Create an issue, sending the request once; returns its key.

        Args:
            fields: ``project``, ``issuetype``, ``summary``, ``description`` (ADF), ``labels`` and so on.
            properties: entity properties of the new issue, by which it can be found again.

        Raises:
            InvalidInputError: Jira refuses a field; the text says which.
            CredentialRefusedError, NotFoundError, RateLimitedError, UnavailableError: nothing was created.
            AmbiguousError: no answer, an unreadable one, 408 or 5xx: it may have been created. Search for it before another
                attempt. An answer to an anonymous caller is ambiguous too, unless its status is a refusal.
        """
        body: Json = {"fields": dict(fields)}
        if properties:
            body["properties"] = [{"key": key, "value": value} for key, value in properties.items()]
        try:
            answer = self._call("create an issue", "POST", "issue", json=body)
        except RefusedLoginError as error:
            if _may_have_happened(error.status):
                raise errors.ConnectionLostError(str(error)) from None
            raise
        key = answer.get("key") if isinstance(answer, dict) else None
        if not isinstance(key, str) or not key:
            raise errors.ConnectionLostError("could not create an issue: Jira's answer names no key")
        return key

    def property_of(self, key_or_id: str, name: str) -> Any:
        """The value of an issue's entity property; None if it has none. Raises as :meth:`fetch`."""
        try:
            answer = self._read("read a property", f"issue/{_quoted(key_or_id)}/properties/{_quoted(name)}", {})
        except errors.NotFoundError:
            return None
        return answer.get("value")

    def _read(self, doing: str, path: str, parameters: Mapping[str, str]) -> Json:
        return self._with_retries(lambda: self._ask(doing, "GET", path, params=dict(parameters)))

    def _with_retries(self, call: Callable[[], Result]) -> Result:
        retrying = tenacity.Retrying(
            stop=self._gives_up,
            wait=_wait,
            retry=tenacity.retry_if_exception_type((errors.RetryableError, errors.AmbiguousError)),
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(call)

    def _gives_up(self, state: tenacity.RetryCallState) -> bool:
        return state.attempt_number >= ATTEMPTS or state.upcoming_sleep >= self._seconds_left()

    def _ask(self, doing: str, method: str, path: str, **arguments: Any) -> Json:
        """One request that changes nothing."""
        answer = self._call(doing, method, path, **arguments)
        if not isinstance(answer, dict):
            raise errors.PermanentError(f"could not {doing}: Jira's answer is not an object")
        return answer

    def _call(self, doing: str, method: str, path: str, **arguments: Any) -> Any:
        """One request."""
        url = f"{self.base_url}/rest/api/3/{path}"
        try:
            response = self._session.request(method, url, timeout=self._timeout, **arguments)
            _check_login(response, doing)
            if response.status_code >= 400:
                raise _error_of(response, doing)
            answer = response.json()
        except requests.exceptions.RequestException as error:
            raise http_errors.no_answer("Jira", doing, error) from None
        return answer


def connect(
    settings: "JiraWorkerEnvironment | ReconciliationEnvironment", api_token: "Secret", *, seconds_left: Callable[[], float]
) -> JiraClient:
    """The client of the configured Jira.

    Raises:
        ConfigurationError: a setting is missing.
        SwitchboardError: the secret can't be read.
    """
    url, email = settings.jira_base_url, settings.jira_email
    wanted = {"jiraBaseUrl": url, "jiraEmail": email, "jiraApiToken": settings.jira_api_token_arn}
    unset = [name for name, value in wanted.items() if not value]
    if unset:
        raise errors.ConfigurationError(f"Jira is not configured: {', '.join(unset)} not set")
    return JiraClient(url, email, api_token, seconds_left=seconds_left)


def _check_login(response: requests.Response, doing: str) -> None:
    """Raise RefusedLoginError if Jira says that it did not accept the credentials. A repeated header is one list here."""
    reasons = {reason.strip().upper() for reason in response.headers.get(_LOGIN_HEADER, "").split(",")}
    if reasons & _REFUSED_LOGINS:
        raise RefusedLoginError(
            f"could not {doing}: Jira did not accept the credentials (status {response.status_code}): the API token is "
            "wrong, expired or revoked",
            response.status_code,
        )


def _may_have_happened(status: int) -> bool:
    return status < 400 or status == 408 or status >= 500


def _error_of(response: requests.Response, doing: str) -> errors.SwitchboardError:
    status = response.status_code
    text = f"could not {doing}: Jira answered {status}"
    match status:
        case 400 | 422:
            return errors.InvalidInputError(": ".join(filter(None, (text, _reason(response)[:300].strip()))))
        case 401 | 403:
            return errors.CredentialRefusedError(f"{text}: the API token is wrong, expired or lacks a permission")
        case 404:
            return errors.NotFoundError(text)
        case 429:
            return RateLimitedError(text, _seconds(response.headers.get("Retry-After")))
        case _ if status == 408 or status >= 500:
            return errors.ConnectionLostError(text)  # the effect may have happened: reads try again, writes don't
        case _:
            return errors.PermanentError(text)


def _reason(response: requests.Response) -> str:
    """Why Jira refuses a request: ``{"errorMessages": [text, …], "errors": {field: text, …}}``, or else its whole answer."""
    try:
        answer = response.json()
    except ValueError:
        return response.text
    if not isinstance(answer, dict):
        return response.text
    messages, of_fields = answer.get("errorMessages"), answer.get("errors")
    found = list(messages) if isinstance(messages, list) else []
    found += [f"{field}: {text}" for field, text in of_fields.items()] if isinstance(of_fields, dict) else []
    return ", ".join(map(str, found)) or response.text


def _seconds(retry_after: str | None) -> float | None:
    if retry_after is None:
        return None
    if retry_after.strip().isascii() and retry_after.strip().isdigit():
        return float(retry_after)
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - Jira sends seconds

    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - clock.utc_now()).total_seconds())
    except (ValueError, TypeError):
        return None


def _wait(state: tenacity.RetryCallState) -> float:
    """Full jitter below a doubling bound, and never less than Retry-After."""
    bound = min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2.0**state.attempt_number)
    wait = random.uniform(bound / 4, bound)  # noqa: S311 - spreads load, keeps no secret
    error = state.outcome.exception() if state.outcome else None
    least = error.retry_after_seconds if isinstance(error, RateLimitedError) else None
    return wait if least is None else max(wait, least)


def _quoted(part: str) -> str:
    return quote(part, safe="")
