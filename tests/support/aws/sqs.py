"""An SQS client that records what it is asked to send."""

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass
class RecordingSqs:
    """Records messages; ``fails`` is raised instead, if set."""

    sent: list[dict[str, Any]] = field(default_factory=list)
    fails: Exception | None = None

    def send_message(self, **request: Any) -> dict[str, Any]:
        if self.fails is not None:
            raise self.fails
        self.sent.append(request)
        return {}

    @property
    def messages(self) -> list[Any]:
        """The bodies, read as JSON."""
        return [json.loads(request["MessageBody"]) for request in self.sent]
