"""Delivers events from EventBridge rules to functions.

moto matches events to rules and delivers to queues, log groups, archives and buses, but raises NotImplementedError on a
Lambda target. This module delivers those and leaves the others to moto.
"""

import copy
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from moto.events.models import Rule

from stack.local.iam.services import MayDo
from stack.local.invocations import Invoker, PayloadTooLargeError
from stack.local.versions import FunctionNotFoundError

_moto_send_to_targets: Callable[..., None] = Rule.send_to_targets
_SERVICE = "events.amazonaws.com"


def connect(invoker: Invoker, may: MayDo) -> None:
    """Make rules with Lambda targets invoke the functions of ``invoker``, if their policies allow it."""

    def send_to_targets(rule: Rule, original_event: Any, transform_input: bool = True) -> None:
        functions = [target for target in rule.targets if ":lambda:" in target["Arn"]]
        if rule.state != "ENABLED":
            return
        if functions and rule.event_pattern.matches_event(original_event):
            for target in functions:
                _deliver(invoker, may, rule.arn, target, original_event)
        others = [target for target in rule.targets if ":lambda:" not in target["Arn"]]
        if others:
            rest = copy.copy(rule)
            rest.targets = others
            _moto_send_to_targets(rest, original_event, transform_input)

    setattr(Rule, "send_to_targets", send_to_targets)  # noqa: B010 (a method, for the type checker)


def disconnect() -> None:
    """Restore moto's method."""
    setattr(Rule, "send_to_targets", _moto_send_to_targets)  # noqa: B010


def _deliver(invoker: Invoker, may: MayDo, rule_arn: str, target: dict[str, Any], event: Any) -> None:
    payload = target.get("Input") or json.dumps(_as_sent(event))
    try:
        invoker.resolve(target["Arn"])
        if not may(_SERVICE, "lambda:InvokeFunction", target["Arn"], rule_arn):
            raise PermissionError("the function's policy does not allow the rule to invoke it")
        invoker.invoke_later(target["Arn"], payload.encode())
    except (FunctionNotFoundError, PayloadTooLargeError, PermissionError) as error:
        print(f"local cloud: EventBridge could not deliver {event.get('id')}: {error}", file=sys.stderr)
        dead_letters = (target.get("DeadLetterConfig") or {}).get("Arn")
        if dead_letters and may(_SERVICE, "sqs:SendMessage", dead_letters, rule_arn):
            invoker.dead_letter(dead_letters, payload)


def _as_sent(event: Any) -> dict[str, Any]:
    """The event as EventBridge sends it; moto has the time in epoch seconds."""
    sent = dict(event)
    if isinstance(sent.get("time"), int | float):
        sent["time"] = datetime.fromtimestamp(sent["time"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return sent
