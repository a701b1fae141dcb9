"""What every notification channel provides."""

from typing import Protocol

from lib.notifications.message import Message
from lib.platform import errors


class NoRecipientError(errors.PermanentError):
    """The channel writes to the lease's owner, and the event names none."""


class Channel(Protocol):
    """A way to notify people. Can be used many times, by one thread at a time."""

    def send(self, message: Message) -> None:
        """Send the message. Returns once the service has accepted it.

        Raises:
            RetryableError: nothing was sent; the service is busy or unavailable.
            AmbiguousError: it may have been sent; no answer came.
            PermanentError: nothing was sent, and the same call will fail again. NoRecipientError is one of these.
            SwitchboardError: the channel's secret can't be read.
        """
