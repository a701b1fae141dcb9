"""The log lines of a function, as it writes them: JSON, scrubbed and all."""

import io
import json
import logging
from typing import Any


class LogLines:
    """What the ``lib.platform.log.Logger`` of ``function`` writes from now on, in place of standard output."""

    def __init__(self, function: str) -> None:
        self._stream = io.StringIO()
        handlers = logging.getLogger(function).handlers
        assert handlers, f"no logger {function!r} was made"
        for handler in handlers:
            assert isinstance(handler, logging.StreamHandler)
            handler.stream = self._stream  # setStream would flush the former stream, which pytest may have closed

    @property
    def text(self) -> str:
        """Everything written, as it is."""
        return self._stream.getvalue()

    def all(self) -> list[dict[str, Any]]:
        """Every line, in order."""
        return [json.loads(line) for line in self.text.splitlines()]

    def named(self, message: str) -> list[dict[str, Any]]:
        """The lines of that message."""
        return [line for line in self.all() if line["message"] == message]

    def only(self, message: str) -> dict[str, Any]:
        """The one line of that message."""
        lines = self.named(message)
        assert len(lines) == 1, f"{len(lines)} lines {message!r} in: {self.text}"
        return lines[0]
