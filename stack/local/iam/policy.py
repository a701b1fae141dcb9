"""Policies as data, and their decision on one action on one resource. Pure: no request, no moto, no clock.

As on AWS within one account: an explicit Deny wins, else one Allow is enough, else the access is refused.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import enum
import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stack.local.iam.conditions import Condition, Context, PolicyError, arn_like, like, parse_conditions, texts

_IDENTITY_ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
_PRINCIPAL_ELEMENTS = {*_IDENTITY_ELEMENTS, "Principal"}


@dataclass(frozen=True, slots=True)
class Access:
    """One thing that a request needs: an action on a resource.

    Attributes:
        action: like ``dynamodb:GetItem``.
        resource: an ARN, or ``*`` for an action without resources.
        context: the values for conditions, keys in lower case.
    """

    action: str
    resource: str
    context: Context = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True, order=True)
class GrantKey:
    """One action on one resource of an Allow, as in the policy."""

    action: str
    resource: str


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy. A role's policy has no ``principals``: it applies to every caller."""

    sid: str
    allows: bool
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    conditions: tuple[Condition, ...]
    principals: tuple[str, ...] = ()

    def matching(self, access: Access, principal: str = "") -> tuple[GrantKey, ...]:
        """The grants or denials of this statement that ``access`` matches."""
        if self.principals and principal not in self.principals and "*" not in self.principals:
            return ()
        if not all(condition.holds(access.context) for condition in self.conditions):
            return ()
        return tuple(
            GrantKey(action, resource)
            for action in self._actions(access.action)
            for resource in self._resources(access.resource)
        )

    def grants(self) -> tuple[GrantKey, ...]:
        """Every grant of the statement; none if it is a Deny."""
        if not self.allows:
            return ()
        actions = self.actions or tuple(f"all except {each}" for each in self.not_actions)
        resources = self.resources or tuple(f"all except {each}" for each in self.not_resources)
        return tuple(GrantKey(action, resource) for action in actions for resource in resources)

    def _actions(self, action: str) -> list[str]:
        if self.not_actions:
            excepted = any(like(each.lower(), action.lower()) for each in self.not_actions)
            return [] if excepted else [f"all except {each}" for each in self.not_actions]
        return [each for each in self.actions if like(each.lower(), action.lower())]

    def _resources(self, resource: str) -> list[str]:
        if self.not_resources:
            excepted = any(arn_like(each, resource) for each in self.not_resources)
            return [] if excepted else [f"all except {each}" for each in self.not_resources]
        return [each for each in self.resources if arn_like(each, resource)]


class Verdict(enum.Enum):
    """The decision of policies on one access."""

    ALLOWED = "allowed"
    NOT_GRANTED = "no policy allows it"
    DENIED = "a policy denies it"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict, and the grants that allowed it."""

    verdict: Verdict
    used: tuple[GrantKey, ...] = ()

    @property
    def is_allowed(self) -> bool:
        """Whether the access is allowed."""
        return self.verdict is Verdict.ALLOWED


def decide(statements: Iterable[Statement], access: Access, principal: str = "") -> Decision:
    """The decision of ``statements`` on ``access``. Only policies of resources need a ``principal``."""
    used: list[GrantKey] = []
    for statement in statements:
        matching = statement.matching(access, principal)
        if matching and not statement.allows:
            return Decision(Verdict.DENIED)
        used.extend(matching)
    return Decision(Verdict.ALLOWED, tuple(dict.fromkeys(used))) if used else Decision(Verdict.NOT_GRANTED)


@functools.lru_cache(maxsize=256)
def read_role_policy(document: str) -> tuple[Statement, ...]:
    """The statements of a role's policy, from its JSON text.

    Raises:
        PolicyError: AWS would refuse it, or it uses what this evaluator does not support.
    """
    return _read(document, _IDENTITY_ELEMENTS)


@functools.lru_cache(maxsize=256)
def read_resource_policy(document: str) -> tuple[Statement, ...]:
    """The statements of a resource's policy. Raises as :func:`read_role_policy` does."""
    statements = _read(document, _PRINCIPAL_ELEMENTS)
    if not all(statement.principals for statement in statements):
        raise PolicyError("a statement of a resource's policy needs a Principal")
    return statements


def _read(document: str, elements: set[str]) -> tuple[Statement, ...]:
    try:
        policy = json.loads(document)
        raw = policy["Statement"]
    except (ValueError, TypeError, KeyError):
        raise PolicyError("a policy must be a JSON object with a Statement") from None
    if policy.get("Version") != "2012-10-17":
        raise PolicyError(f"the policy version {policy.get('Version')!r} is not supported here")
    return tuple(_statement(each, elements) for each in ([raw] if isinstance(raw, Mapping) else raw))


def _statement(raw: Any, elements: set[str]) -> Statement:
    if not isinstance(raw, Mapping) or raw.keys() - elements:
        unknown = sorted(raw.keys() - elements) if isinstance(raw, Mapping) else raw
        raise PolicyError(f"a statement has unknown elements: {unknown}")
    if raw.get("Effect") not in {"Allow", "Deny"}:
        raise PolicyError(f"the effect {raw.get('Effect')!r} is neither Allow nor Deny")
    if ("Action" in raw) == ("NotAction" in raw) or ("Resource" in raw) == ("NotResource" in raw):
        raise PolicyError("a statement has one of Action and NotAction, and one of Resource and NotResource")

    def read(element: str) -> tuple[str, ...]:
        return texts(raw[element]) if element in raw else ()

    return Statement(
        sid=str(raw.get("Sid", "")),
        allows=raw["Effect"] == "Allow",
        actions=read("Action"),
        not_actions=read("NotAction"),
        resources=read("Resource"),
        not_resources=read("NotResource"),
        conditions=parse_conditions(raw["Condition"]) if "Condition" in raw else (),
        principals=_principals(raw["Principal"]) if "Principal" in raw else (),
    )


def _principals(element: Any) -> tuple[str, ...]:
    if element == "*":
        return ("*",)
    if not isinstance(element, Mapping) or element.keys() - {"AWS", "Service"}:
        raise PolicyError("a Principal is *, or names AWS principals or services")
    return tuple(name for names in element.values() for name in texts(names))
