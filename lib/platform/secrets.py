"""A secret of Secrets Manager as its readers need it: cached, and correct through a rotation.

::

    put new value ──► AWSCURRENT = new, AWSPREVIOUS = old
    senders still signing with old:  verified by AWSPREVIOUS
    our cache from before:           the check fails ──► refresh (at most every 30 s) ──► verified by AWSCURRENT

The bound is on refreshes alone, so that the first failed check after an ordinary read looks again at once; it keeps
callers with bad signatures from hammering Secrets Manager.
"""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lib.platform import aws, clock, errors

CACHE_SECONDS = 300.0
REFRESH_SECONDS = 30.0


class Secret:
    """One secret, read when first asked for. Nothing read is ever logged or put into an error."""

    def __init__(self, client: Any, arn: str, monotonic: clock.Monotonic = clock.monotonic) -> None:
        self._client = client
        self._arn = arn
        self._monotonic = monotonic
        self._values: tuple[str, ...] = ()
        self._read_at: float | None = None
        self._refreshed_at: float | None = None
        self._failed_at: float | None = None

    def values(self) -> tuple[str, ...]:
        """The values that count now, the current one first, then the one before it. Empty if no secret is configured.

        A cached answer is at most 5 minutes old. If Secrets Manager can't be reached, an older one still serves.

        Raises:
            SwitchboardError: it can't be read and never was.
        """
        if not self._arn:
            return ()
        if self._read_at is None or self._monotonic() - self._read_at >= CACHE_SECONDS:
            self._read()
        return self._values

    def current(self) -> str:
        """The current value.

        Raises:
            ConfigurationError: no secret is configured, or it is empty.
            SwitchboardError: it can't be read and never was.
        """
        values = self.values()
        if not values:
            raise errors.ConfigurationError("the secret is not set")
        return values[0]

    def refresh(self) -> bool:
        """Read again after a check failed, unless that was done less than 30 s ago. True if the values changed."""
        if not self._arn or self._is_recent(self._refreshed_at):
            return False
        self._refreshed_at = self._monotonic()
        before = self._values
        self._read()
        return self._values != before

    def _is_recent(self, moment: float | None) -> bool:
        return moment is not None and self._monotonic() - moment < REFRESH_SECONDS

    def _read(self) -> None:
        may_serve_stale = self._read_at is not None
        if may_serve_stale and self._is_recent(self._failed_at):
            return  # Secrets Manager was away a moment ago; what we have serves
        try:
            values = (self._stage("AWSCURRENT"), self._stage("AWSPREVIOUS"))
        except (ClientError, BotoCoreError) as error:
            self._failed_at = self._monotonic()
            if may_serve_stale:
                return
            raise aws.translate(error, "read the secret") from None
        self._values = tuple(value for value in values if value)
        self._read_at = self._monotonic()

    def _stage(self, stage: str) -> str:
        try:
            answer = self._client.get_secret_value(SecretId=self._arn, VersionStage=stage)
        except ClientError as error:
            if aws.error_code(error) == "ResourceNotFoundException" and stage == "AWSPREVIOUS":
                return ""  # never rotated
            raise
        return str(answer.get("SecretString", ""))
