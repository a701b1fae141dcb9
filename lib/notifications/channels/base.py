"""What a channel is, and what all of them do alike."""

from collections.abc import Callable
from typing import Protocol

from lib.notifications.message import Message
from lib.platform import errors
from lib.platform.secrets import Secret


class NoRecipientError(errors.PermanentError):
    """The channel writes to the lease's owner, and the event names none."""


class Channel(Protocol):
    """A way to tell people. May be used again and again, by one thread at a time."""

    def send(self, message: Message) -> None:
        """Tell it. Returns once the service has taken the message.

        Raises:
            RetryableError: nothing was sent; the service is busy or away.
            AmbiguousError: it may have been sent; no answer came.
            PermanentError: nothing was sent, and the same call will fail again. A NoRecipientError is of this kind.
            SwitchboardError: the channel's secret can't be read.
        """


def send_with(secret: Secret, send: Callable[[str], None]) -> None:
    """Send with the current value of ``secret``, and once more if it was refused and has been rotated meanwhile.

    Raises:
        ConfigurationError: the secret is not set.
        SwitchboardError: whatever ``send`` raises, or the secret can't be read.
    """
    try:
        send(secret.current().strip())  # a line end gets into a secret easily and belongs to none
    except errors.CredentialRefusedError:
        if not secret.refresh():
            raise
        send(secret.current().strip())
