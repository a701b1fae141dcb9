"""The condition operators: when they match, when the key is absent, and negated."""

from typing import Any

import pytest

from stack.local.iam.conditions import PolicyError, parse_conditions

ARN = "arn:aws:events:us-west-2:123456789012:rule/bus/lease"


def holds(operator: str, key: str, values: Any, **context: str | tuple[str, ...]) -> bool:
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


def test_one_of_several_values_must_match_and_none_for_a_negation() -> None:
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
        *("StringMatches", "IpAddress", "ForAllValue:StringLike", "ForAllValues:Null", "DateEquals"),
        *("BoolNot", "NotBool", "NumericNotLessThan", "NumericNotGreaterThanEquals", "NotStringEquals", "StringEqualsNot"),
        *("StringNotNotEquals", "NullIfExists", "NotNull"),
    ],
)
def test_an_unknown_operator_is_an_error(operator: str) -> None:
    with pytest.raises(PolicyError, match=operator):
        parse_conditions({operator: {"s3:prefix": "a"}})


KEYS = "dynamodb:LeadingKeys"


@pytest.mark.parametrize(
    ("operator", "actual", "expected"),
    [
        ("ForAllValues:StringLike", ("event#1", "event#2"), True),
        ("ForAllValues:StringLike", ("event#1", "session"), False),
        ("ForAllValues:StringEquals", ("event#*",), True),
        ("ForAllValues:StringEquals", ("event#1",), False),
        ("ForAllValues:StringNotLike", ("session", "other"), True),
        ("ForAllValues:StringNotLike", ("session", "event#1"), False),
        ("ForAnyValue:StringLike", ("event#1", "session"), True),
        ("ForAnyValue:StringLike", ("session",), False),
        ("ForAnyValue:StringNotLike", ("event#1", "session"), True),
        ("ForAnyValue:StringNotLike", ("event#1",), False),
    ],
)
def test_a_set_operator_looks_at_every_value_of_the_request(operator: str, actual: tuple[str, ...], expected: bool) -> None:
    assert holds(operator, KEYS, "event#*", dynamodb__leadingkeys=actual) is expected


@pytest.mark.parametrize("negated", ["", "Not"])
def test_without_a_value_all_is_true_and_any_is_false(negated: str) -> None:
    assert holds(f"ForAllValues:String{negated}Like", KEYS, "event#*")
    assert not holds(f"ForAnyValue:String{negated}Like", KEYS, "event#*")
    assert holds(f"ForAnyValue:String{negated}LikeIfExists", KEYS, "event#*")


def test_null_distinguishes_absent_and_present_multivalued_keys() -> None:
    assert not holds("Null", KEYS, "false")
    assert holds("Null", KEYS, "false", dynamodb__leadingkeys=("event#1",))


@pytest.mark.parametrize(("operator", "key"), [("StringLike", KEYS), ("ForAllValues:StringLike", "s3:prefix")])
def test_a_multivalued_key_and_no_other_needs_a_set_operator(operator: str, key: str) -> None:
    with pytest.raises(PolicyError, match="a multivalued key needs a set operator"):
        parse_conditions({operator: {key: "a"}})


def test_the_service_that_uses_a_key_is_compared_as_text() -> None:
    service = "dynamodb.us-west-2.amazonaws.com"
    assert holds("StringEquals", "kms:ViaService", service, kms__viaservice=service)
    assert not holds("StringEquals", "kms:ViaService", service, kms__viaservice="s3.us-west-2.amazonaws.com")
    assert not holds("StringEquals", "kms:ViaService", service)


def test_an_unknown_key_is_an_error() -> None:
    with pytest.raises(PolicyError, match="aws:MultiFactorAuthPresent"):
        parse_conditions({"Bool": {"aws:MultiFactorAuthPresent": "true"}})
