"""Sends the lease's owner an e-mail through GOV.UK Notify, with its official client.

The template is created in GOV.UK Notify; it can use ``((title))``, ``((text))``, ``((link))`` and the other fields of
:func:`personalisation`. An event that names no owner is not sent on this channel.

Source: https://docs.notifications.service.gov.uk/python.html
"""

import logging
from typing import Any, NoReturn

import requests
from notifications_python_client.errors import APIError, HTTPError
from notifications_python_client.notifications import NotificationsAPIClient

from lib.notifications.channels.base import NoRecipientError
from lib.notifications.message import Message
from lib.platform import errors, http_errors, log
from lib.platform.secrets import Secret

TIMEOUT_SECONDS = 5

# The client logs each failure as text, with the service's answer. The errors raised here say what matters.
logging.getLogger("notifications_python_client").setLevel(logging.CRITICAL + 1)


class GovukNotify:
    """The service.

    Args:
        api_key: a secret: the key's name, the service's id and the key itself, joined by hyphens.
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
            raise NoRecipientError("the event names nobody to send an e-mail to")
        self._api_key.use(lambda key: self._send(message, key))

    def _send(self, message: Message, key: str) -> None:
        fields = personalisation(message)
        try:
            self._client_of(key).send_email_notification(  # type: ignore[no-untyped-call]
                email_address=message.recipient,
                template_id=self._template_id,
                personalisation=fields,
                reference=message.event_id,
                # Links and Markdown in untrusted values stay plain text. Title and link contain none, and the subject is not
                # Markdown: it would show the escapes.
                sanitise_content_for=sorted(fields.keys() - {"title", "link"}),
            )
        except HTTPError as error:
            _refuse(error)
        except APIError:
            raise errors.AmbiguousError("GOV.UK Notify accepted the message, but its answer can't be read") from None
        except (AssertionError, ValueError, requests.RequestException) as error:
            name = type(error).__name__
            raise errors.PermanentError(f"could not send to GOV.UK Notify: not as configured ({name})") from None

    def _client_of(self, key: str) -> NotificationsAPIClient:
        """The client of a key, kept because its connection stays open."""
        if self._client is None or self._client[0] != key:
            client = NotificationsAPIClient(key, self._base_url, TIMEOUT_SECONDS)  # type: ignore[no-untyped-call]
            self._client = (key, client)
        return self._client[1]


def personalisation(message: Message) -> dict[str, str]:
    """The fields a template may use. All are text: the service fails on anything else (alphagov/notifications-api#4971)."""
    owner = message.to_owner
    facts = dict(owner.facts)
    lines = "\n".join(f"{label}: {value}" for label, value in owner.facts)
    names = ("event_type", "who", "account", "time_left")
    return {
        "title": owner.title,
        "text": "\n\n".join(filter(None, (owner.lead, lines, message.footer))),
        "link": message.link,
        "lease_status": facts.get("Lease status", ""),
        "reason": facts.get("Reason", ""),
        **{name: str(message.structured.get(name) or "") for name in names},
    }


def _refuse(error: HTTPError) -> NoReturn:
    """Raise the error for the service's answer, or for a missing answer: the client reports both as a 503."""
    if error.response is None:
        raise http_errors.no_answer("GOV.UK Notify", "send the message", error.__cause__) from None
    status = error.status_code
    text = f"GOV.UK Notify refused the message: {_in_words(error)}"
    if status in {401, 403}:
        raise errors.CredentialRefusedError(text) from None
    raise http_errors.of_status(status, text) from None


def _in_words(error: HTTPError) -> str:
    """The service's own text (``BadRequestError: Missing personalisation: title``), without personal data."""
    given: Any = error.message
    if not isinstance(given, list):
        return f"HTTP {error.status_code}"
    parts = [f"{item.get('error')}: {item.get('message')}" for item in given[:3] if isinstance(item, dict)]
    return f"HTTP {error.status_code}, {log.scrub('; '.join(parts)[:300])}"
