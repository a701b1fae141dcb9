"""The condition operators: when they match, when the key is absent, and negated."""

from typing import Any

import pytest

from stack.local.iam.conditions import PolicyError, parse_conditions

ARN = "arn:aws:events:us-west-2:123456789012:rule/bus/lease"


def holds(operator: str, key: str, values: Any, **context: str) -> bool:
    actual = {name.replace("__", ":"): value for name, value in context.items()}
    return all(condition.holds(actual) for condition in parse_conditions({operator: {key: values}}))


@pytest.mark.parametrize(
    ("operator", "value", "actual", "expected"),
    [
        ("StringEquals", "uploads/", "uploads/", True),
        ("StringEquals", "uploads/", "Uploads/", False),
        ("StringEquals", "uploads/*", "uploads/a", False),
        ("StringEqualsIgnoreCase", "uploads/", "UPLOADS/", True),
        ("StringLike", "uploads/*", "uploads/a/b", True),
        ("StringLike", "uploads/?", "uploads/ab", False),
        ("StringNotEquals", "uploads/", "reports/", True),
        ("StringNotEquals", "uploads/", "uploads/", False),
        ("StringNotLike", "up*", "uploads/", False),
        ("StringNotEqualsIgnoreCase", "UP", "up", False),
        ("NumericEquals", "10", "10.0", True),
        ("NumericNotEquals", "10", "10", False),
        ("NumericLessThan", "10", "9", True),
        ("NumericLessThan", "10", "10", False),
        ("NumericLessThanEquals", "10", "10", True),
        ("NumericGreaterThan", "10", "11", True),
        ("NumericGreaterThanEquals", "10", "9", False),
        ("NumericEquals", "10", "ten", False),
    ],
)
def test_an_operator_compares_as_aws_does(operator: str, value: str, actual: str, expected: bool) -> None:
    assert holds(operator, "s3:prefix", value, s3__prefix=actual) is expected


@pytest.mark.parametrize(
    ("operator", "pattern", "expected"),
    [
        ("ArnEquals", ARN, True),
        ("ArnLike", "arn:aws:events:us-west-2:123456789012:rule/*", True),
        ("ArnEquals", "arn:aws:events:*:*:rule/bus/lease", True),
        ("ArnLike", "arn:aws:events:*", False),
        ("ArnNotEquals", ARN, False),
        ("ArnNotLike", "arn:aws:s3:::*", True),
    ],
)
def test_arns_are_compared_part_by_part(operator: str, pattern: str, expected: bool) -> None:
    assert holds(operator, "aws:SourceArn", pattern, aws__sourcearn=ARN) is expected


def test_any_one_of_several_values_is_enough_and_none_for_a_negation() -> None:
    assert holds("StringEquals", "s3:prefix", ["a", "b"], s3__prefix="b")
    assert not holds("StringNotEquals", "s3:prefix", ["a", "b"], s3__prefix="b")
    assert holds("StringNotEquals", "s3:prefix", ["a", "b"], s3__prefix="c")


def test_an_absent_key_matches_nothing_but_a_negation_and_if_exists() -> None:
    assert not holds("StringEquals", "s3:prefix", "a")
    assert holds("StringNotEquals", "s3:prefix", "a")
    assert holds("StringEqualsIfExists", "s3:prefix", "a")
    assert not holds("StringEqualsIfExists", "s3:prefix", "a", s3__prefix="b")


def test_null_asks_whether_the_key_is_absent() -> None:
    assert holds("Null", "s3:prefix", "true")
    assert not holds("Null", "s3:prefix", True, s3__prefix="a")
    assert holds("Null", "s3:prefix", "false", s3__prefix="a")


def test_bool_takes_json_and_text() -> None:
    assert holds("Bool", "aws:SecureTransport", False, aws__securetransport="false")
    assert not holds("Bool", "aws:SecureTransport", "false", aws__securetransport="true")


def test_all_conditions_must_hold() -> None:
    element = {"StringEquals": {"aws:SourceAccount": "1"}, "ArnEquals": {"AWS:SourceArn": ARN}}
    both = parse_conditions(element)

    assert all(each.holds({"aws:sourceaccount": "1", "aws:sourcearn": ARN}) for each in both)
    assert not all(each.holds({"aws:sourceaccount": "2", "aws:sourcearn": ARN}) for each in both)


@pytest.mark.parametrize(
    "operator",
    [
        *("StringMatches", "IpAddress", "ForAnyValue:StringLike", "DateEquals"),
        *("BoolNot", "NotBool", "NumericNotLessThan", "NumericNotGreaterThanEquals", "NotStringEquals", "StringEqualsNot"),
        *("StringNotNotEquals", "NullIfExists", "NotNull"),
    ],
)
def test_an_unknown_operator_is_an_error(operator: str) -> None:
    with pytest.raises(PolicyError, match=operator):
        parse_conditions({operator: {"s3:prefix": "a"}})


def test_an_unknown_key_is_an_error() -> None:
    with pytest.raises(PolicyError, match="aws:MultiFactorAuthPresent"):
        parse_conditions({"Bool": {"aws:MultiFactorAuthPresent": "true"}})
