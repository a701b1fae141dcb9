"""The context that Lambda gives a handler, as far as handlers use it."""

import dataclasses
import itertools

_ids = itertools.count(1)


@dataclasses.dataclass(frozen=True, slots=True)
class LambdaContext:
    """One invocation, by default with a new id."""

    aws_request_id: str = dataclasses.field(default_factory=lambda: f"00000000-0000-4000-8000-{next(_ids):012}")
    function_name: str = "notification"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-west-2:123456789012:function:notification"
    remaining_ms: int = 300_000

    def get_remaining_time_in_millis(self) -> int:
        """How long the invocation may still take; a test's clock does not move."""
        return self.remaining_ms
