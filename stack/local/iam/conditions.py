"""The ``Condition`` element of a policy statement.

An unknown operator or context key is an error, so that a condition that is not understood decides nothing.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

import enum
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Context = Mapping[str, str | tuple[str, ...]]
"""The values of a request's context keys (in lower case); a tuple for a multivalued key."""

_MULTIVALUED_KEYS = frozenset({"dynamodb:leadingkeys"})
KNOWN_KEYS = _MULTIVALUED_KEYS | frozenset(
    key.lower()
    for key in (
        "aws:PrincipalArn",
        "aws:RequestedRegion",
        "aws:SecureTransport",
        "aws:SourceAccount",
        "aws:SourceArn",
        "kms:ViaService",
        "s3:delimiter",
        "s3:max-keys",
        "s3:prefix",
    )
)
"""The context keys that the local cloud provides as AWS does."""


class Quantifier(enum.Enum):
    """How a condition combines the values of a multivalued key."""

    ONE = ""
    ALL = "ForAllValues:"
    ANY = "ForAnyValue:"


class PolicyError(ValueError):
    """A policy that is wrong, or uses what this evaluator does not support."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one context key.

    Attributes:
        quantifier: the set operator, for a multivalued key.
        operator: as in the policy, without set operator and ``IfExists``.
        if_exists: whether an absent key matches.
        key: in lower case, since context keys are case-insensitive.
        values: one of them must match.
    """

    quantifier: Quantifier
    operator: str
    if_exists: bool
    key: str
    values: tuple[str, ...]

    def holds(self, context: Context) -> bool:
        """Whether a request with this context meets the condition."""
        actual = context.get(self.key)
        if self.operator == "Null":
            return any((actual is None) == (value.lower() == "true") for value in self.values)
        if self.quantifier is not Quantifier.ONE:
            # Without values, "all" is true and "any" is false on AWS, negated or not.
            decide = all if self.quantifier is Quantifier.ALL else any
            return decide(self._fits(value) for value in actual or ()) or (actual is None and self.if_exists)
        if actual is None:
            return self.if_exists or self.operator in _NEGATIONS
        return self._fits(str(actual))

    def _fits(self, actual: str) -> bool:
        matches = _OPERATORS[_NEGATIONS.get(self.operator, self.operator)]
        return any(matches(value, actual) for value in self.values) != (self.operator in _NEGATIONS)


def parse_conditions(element: Any) -> tuple[Condition, ...]:
    """The conditions of a statement's ``Condition``, all of which must hold.

    Raises:
        PolicyError: it is malformed, or an operator or a key is not supported here.
    """
    if not isinstance(element, Mapping):
        raise PolicyError("a Condition must be an object")
    found = []
    for operator, keys in element.items():
        quantifier, plain = _split(str(operator))
        if operator != "Null" and plain not in _OPERATORS.keys() | _NEGATIONS.keys():
            raise PolicyError(f"the condition operator {operator!r} is not supported here")
        if_exists = str(operator).endswith("IfExists")
        if not isinstance(keys, Mapping):
            raise PolicyError(f"the condition {operator} must be an object")
        for key, values in keys.items():
            name = str(key).lower()
            if name not in KNOWN_KEYS:
                raise PolicyError(f"the condition key {key!r} is not supported here")
            if operator != "Null" and (name in _MULTIVALUED_KEYS) != (quantifier is not Quantifier.ONE):
                raise PolicyError(
                    f"the condition {operator} on {key}: a multivalued key needs a set operator, and no other key may have one"
                )
            found.append(Condition(quantifier, plain, if_exists, name, texts(values)))
    return tuple(found)


def _split(operator: str) -> tuple[Quantifier, str]:
    for quantifier in (Quantifier.ALL, Quantifier.ANY):
        if operator.startswith(quantifier.value):
            return quantifier, operator.removeprefix(quantifier.value).removesuffix("IfExists")
    return Quantifier.ONE, operator.removesuffix("IfExists")


def texts(value: Any) -> tuple[str, ...]:
    """One value or a list of them, as texts.

    Raises:
        PolicyError: something else, or a policy variable (``${aws:username}``).
    """
    values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    if not values or not all(isinstance(each, str | int | float | bool) for each in values):
        raise PolicyError("an element of a policy must be a text or a list of texts")
    found = tuple(str(each).lower() if isinstance(each, bool) else str(each) for each in values)
    if any("${" in each for each in found):
        raise PolicyError("policy variables are not supported here")
    return found


def like(pattern: str, text: str) -> bool:
    """Whether ``text`` matches a pattern in which ``*`` is any text and ``?`` any character."""
    return _compiled(pattern).fullmatch(text) is not None


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = (".*" if part == "*" else "." if part == "?" else re.escape(part) for part in re.split(r"([*?])", pattern))
    return re.compile("".join(parts), re.DOTALL)


def arn_like(pattern: str, arn: str) -> bool:
    """Whether an ARN matches a pattern. A wildcard matches within one of the six parts; the last part has all that follows."""
    if pattern == "*":
        return True
    patterns, parts = pattern.split(":", 5), arn.split(":", 5)
    return len(patterns) == len(parts) and all(like(*pair) for pair in zip(patterns, parts, strict=True))


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def matches(value: str, actual: str) -> bool:
        try:
            return compare(float(actual), float(value))
        except ValueError:
            return False

    return matches


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda value, actual: value == actual,
    "StringEqualsIgnoreCase": lambda value, actual: value.lower() == actual.lower(),
    "StringLike": like,
    "ArnEquals": arn_like,  # AWS: ArnEquals and ArnLike behave identically
    "ArnLike": arn_like,
    "Bool": lambda value, actual: value.lower() == actual.lower(),
    "NumericEquals": _number(lambda actual, value: actual == value),
    "NumericLessThan": _number(lambda actual, value: actual < value),
    "NumericLessThanEquals": _number(lambda actual, value: actual <= value),
    "NumericGreaterThan": _number(lambda actual, value: actual > value),
    "NumericGreaterThanEquals": _number(lambda actual, value: actual >= value),
}
_NEGATIONS = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
}
