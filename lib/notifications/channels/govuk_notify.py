"""Writes the lease's owner an e-mail by GOV.UK Notify, with its official client.

The template is made in GOV.UK Notify; it gets ``((title))``, ``((text))`` and ``((link))``, and the fields of
``personalisation``. It writes to one person, so that an event that names none is no message for this channel.

Source: https://docs.notifications.service.gov.uk/python.html
"""

import logging
from typing import Any, NoReturn

import requests
from notifications_python_client.errors import APIError, HTTPError
from notifications_python_client.notifications import NotificationsAPIClient
from urllib3.exceptions import NewConnectionError

from lib.notifications.channels.base import NoRecipientError
from lib.notifications.message import Message
from lib.platform import errors, log
from lib.platform.secrets import Secret

TIMEOUT_SECONDS = 5

# The client logs each failure as text, with the service's answer; what matters is in the errors raised here.
logging.getLogger("notifications_python_client").setLevel(logging.CRITICAL + 1)


class GovukNotify:
    """The service.

    Args:
        api_key: a secret: its name, the service's id and the key itself, joined by hyphens.
        template_id: the template's UUID.
        base_url: where the API is.
    """

    def __init__(self, api_key: Secret, template_id: str, base_url: str) -> None:
        self._api_key = api_key
        self._template_id = template_id
        self._base_url = base_url
        self._client: tuple[str, NotificationsAPIClient] | None = None

    def send(self, message: Message) -> None:
        """Send the e-mail; see :meth:`lib.notifications.channels.base.Channel.send`.

        Raises:
            NoRecipientError: the message has no recipient.
        """
        if not message.recipient:
            raise NoRecipientError("the event names nobody whom an e-mail could be sent to")
        self._api_key.use(lambda key: self._send(message, key))

    def _send(self, message: Message, key: str) -> None:
        fields = personalisation(message)
        try:
            self._client_of(key).send_email_notification(  # type: ignore[no-untyped-call]
                email_address=message.recipient,
                template_id=self._template_id,
                personalisation=fields,
                reference=message.event_id,
                # Links and Markdown of strangers stay text. Title and link hold none of theirs, and a subject, which is no
                # Markdown, would show the escapes.
                sanitise_content_for=sorted(fields.keys() - {"title", "link"}),
            )
        except HTTPError as error:
            _refuse(error)
        except APIError:
            raise errors.AmbiguousError("GOV.UK Notify took the message and answered nothing that can be read") from None
        except (AssertionError, ValueError, requests.RequestException) as error:
            name = type(error).__name__
            raise errors.PermanentError(f"the message can't be sent to GOV.UK Notify as configured: {name}") from None

    def _client_of(self, key: str) -> NotificationsAPIClient:
        """One client as long as the key stays the same, for its connection is kept open."""
        if self._client is None or self._client[0] != key:
            client = NotificationsAPIClient(key, self._base_url, TIMEOUT_SECONDS)  # type: ignore[no-untyped-call]
            self._client = (key, client)
        return self._client[1]


def personalisation(message: Message) -> dict[str, str]:
    """The fields a template may use. All are text: the service fails on anything else (alphagov/notifications-api#4971)."""
    facts = "\n".join(f"{label}: {value}" for label, value in message.facts)
    structured = message.structured
    names = ("event_type", "who", "account", "time_left", "reason")
    return {
        "title": message.title,
        "text": "\n\n".join(filter(None, (message.lead, facts, message.footer))),
        "link": message.link,
        "lease_status": dict(message.facts).get("Lease status", ""),
        **{name: str(structured.get(name) or "") for name in names},
    }


def _refuse(error: HTTPError) -> NoReturn:
    """Raise what an answer of the service means, or that none came; the client calls both a 503."""
    if error.response is None:
        _no_answer(error.__cause__)
    status = error.status_code
    text = f"GOV.UK Notify refused the message: {_in_words(error)}"
    if status == 429:
        raise errors.ThrottledError(text) from None
    if status == 503:
        raise errors.UnavailableError(text) from None
    if status >= 500:
        raise errors.ConnectionLostError(text) from None
    if status in {401, 403}:
        raise errors.CredentialRefusedError(text) from None
    raise errors.PermanentError(text) from None


def _in_words(error: HTTPError) -> str:
    """The service's own words (``BadRequestError: Missing personalisation: title``), without anything personal."""
    given: Any = error.message
    if not isinstance(given, list):
        return f"HTTP {error.status_code}"
    parts = [f"{item.get('error')}: {item.get('message')}" for item in given[:3] if isinstance(item, dict)]
    return f"HTTP {error.status_code}, {log.scrub('; '.join(parts)[:300])}"


def _no_answer(cause: BaseException | None) -> NoReturn:
    name = type(cause).__name__
    if isinstance(cause, requests.ConnectTimeout) or _never_connected(cause):
        raise errors.UnavailableError(f"GOV.UK Notify can't be reached: {name}") from None
    if isinstance(cause, requests.Timeout):
        raise errors.DeadlineExceededError(f"GOV.UK Notify did not answer within {TIMEOUT_SECONDS} s") from None
    raise errors.ConnectionLostError(f"the connection to GOV.UK Notify broke: {name}") from None


def _never_connected(cause: BaseException | None) -> bool:
    inner = cause.args[0] if isinstance(cause, requests.ConnectionError) and cause.args else None
    return isinstance(getattr(inner, "reason", None), NewConnectionError)
