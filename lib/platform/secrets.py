"""Reads a secret from Secrets Manager: cached, and correct during a rotation.

::

    put new value ──► AWSCURRENT = new, AWSPREVIOUS = old
    a sender still signs with old:   verified by AWSPREVIOUS, which is read when the current value does not match
    our cache still has old:         the check fails ──► refresh (at most every 30 s) ──► verified by AWSCURRENT

Only refreshes are limited, so the first failed check after an ordinary read refreshes at once. The limit keeps callers with
bad signatures from flooding Secrets Manager.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from lib.platform import aws, clock, errors, restore

CACHE_SECONDS = 300.0
REFRESH_SECONDS = 30.0

Result = TypeVar("Result")


class Secret:
    """One secret, read when it is first needed. No value is ever logged or put into an error."""

    def __init__(self, client: Any, arn: str, monotonic: clock.Monotonic = clock.monotonic) -> None:
        self._client = client
        self._arn = arn
        self._monotonic = monotonic
        self._current = ""
        self._previous: str | None = None  # not read yet
        self._read_at: float | None = None
        self._refreshed_at: float | None = None
        self._failed_at: float | None = None
        restore.register(self, type(self).forget)

    def forget(self) -> None:
        """Read the values again before the next use."""
        self._current, self._previous = "", None
        self._read_at = self._refreshed_at = self._failed_at = None

    def values(self) -> tuple[str, ...]:
        """The valid values, the current one first, then the previous one. Empty if no secret is configured.

        A cached answer is at most 5 minutes old, or older while Secrets Manager can't be reached.

        Raises:
            SwitchboardError: a value can't be read and never was.
        """
        current = self._cached_current()
        if self._arn and self._previous is None:
            self._previous = self._read_previous()
        return tuple(value for value in (current, self._previous) if value)

    def any_value(self, matches: Callable[[str], bool]) -> bool:
        """Whether ``matches`` accepts a valid value. If none does, a refreshed secret gets a second chance.

        Raises:
            SwitchboardError: a value can't be read and never was.
        """
        current = self._cached_current()
        if current and matches(current):
            return True  # nearly always, so a cold start makes one read of Secrets Manager instead of two
        return self._any_of_all(matches) or (self.refresh() and self._any_of_all(matches))

    def current(self) -> str:
        """The current value.

        Raises:
            ConfigurationError: no secret is configured, or it is empty.
            SwitchboardError: the secret can't be read and never was.
        """
        current = self._cached_current()
        if not current:
            raise errors.ConfigurationError("the secret is not set")
        return current

    def use(self, call: Callable[[str], Result]) -> Result:
        """Run ``call`` with the current value, and once more if that was refused and has been rotated since it was read.

        Raises:
            ConfigurationError: the secret is not set.
            SwitchboardError: ``call`` raised it, or the secret can't be read.
        """
        try:
            return call(self.current().strip())  # a secret pasted by hand often ends in a line break
        except errors.CredentialRefusedError:
            if not self.refresh():
                raise
        return call(self.current().strip())

    def refresh(self) -> bool:
        """Read again after a check failed, unless that was done less than 30 s ago. True if the values changed."""
        if not self._arn or self._is_recent(self._refreshed_at):
            return False
        self._refreshed_at = self._monotonic()
        before = (self._current, self._previous)
        self._read()
        return (self._current, self._previous) != before

    def _any_of_all(self, matches: Callable[[str], bool]) -> bool:
        matched = [matches(value) for value in self.values()]  # all of them, for constant time
        return any(matched)

    def _cached_current(self) -> str:
        if self._arn and (self._read_at is None or self._monotonic() - self._read_at >= CACHE_SECONDS):
            self._read()
        return self._current

    def _is_recent(self, moment: float | None) -> bool:
        return moment is not None and self._monotonic() - moment < REFRESH_SECONDS

    def _read(self) -> None:
        """Read the current value, and the previous one if it was needed before."""
        may_serve_stale = self._read_at is not None
        if may_serve_stale and self._is_recent(self._failed_at):
            return  # Secrets Manager failed a moment ago: serve the values read before
        try:
            current = self._stage("AWSCURRENT")
            previous = None if self._previous is None else self._stage("AWSPREVIOUS")
        except errors.SwitchboardError:
            self._failed_at = self._monotonic()
            if may_serve_stale:
                return
            raise
        self._current, self._previous = current, previous
        self._read_at, self._failed_at = self._monotonic(), None

    def _read_previous(self) -> str:
        """Read the previous value. Raises if that fails: a sender that still uses it must get a 503 and retry, not a 401."""
        if self._is_recent(self._failed_at):
            raise errors.UnavailableError("could not read the secret: that failed less than 30 s ago")
        try:
            return self._stage("AWSPREVIOUS")
        except errors.SwitchboardError:
            self._failed_at = self._monotonic()
            raise

    def _stage(self, stage: str) -> str:
        with aws.translated("read the secret"):
            try:
                answer = self._client.get_secret_value(SecretId=self._arn, VersionStage=stage)
            except ClientError as error:
                if aws.error_code(error) == "ResourceNotFoundException" and stage == "AWSPREVIOUS":
                    return ""  # never rotated
                raise
        return str(answer.get("SecretString", ""))
