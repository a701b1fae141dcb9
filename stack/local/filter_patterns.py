"""Matches log events with CloudWatch's filter patterns: moto knows one term, and returns every event for other patterns.

Terms and JSON patterns work as AWS documents them. Patterns of space-delimited fields (``[ip, user, ...]``) are refused.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

import functools
import json
import re
from collections.abc import Callable
from typing import Any, NoReturn

_Condition = Callable[[Any], bool]
"""A condition on a parsed log event, or on one of its values."""

_ABSENT: Any = object()

_TERM = re.compile(r'\s*([-?]?)(?:"((?:[^"\\]|\\.)*)"|%([^%]+)%|([^\s"%]+))')
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<selector>\$(?:\.\['[^']+'\]|\.[\w-]+|\['[^']+'\]|\[\d+\])+)
    | (?P<operator>&&|\|\||!=|<=|>=|[=<>()])
    | "(?P<quoted>(?:[^"\\]|\\.)*)"
    | %(?P<regex>[^%]+)%
    | (?P<word>[^\s()=!<>&|"%$]+)
    )""",
    re.VERBOSE,
)
_STEP = re.compile(r"\['([^']+)'\]|\[(\d+)\]|([\w-]+)")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_ORDERS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "<=": lambda left, right: left <= right,
    ">=": lambda left, right: left >= right,
}


class FilterPatternError(ValueError):
    """The pattern is wrong, or of a kind that the local cloud does not support. The text is for the caller."""


@functools.lru_cache(maxsize=64)
def compiled(pattern: str) -> Callable[[str], bool]:
    """The test of a log event's message.

    Raises:
        FilterPatternError: see there.
    """
    text = pattern.strip()
    if text.startswith("["):
        raise FilterPatternError("The local cloud does not support filter patterns for space-delimited log events.")
    return _json_pattern(text) if text.startswith("{") else _terms(text)


def _terms(text: str) -> Callable[[str], bool]:
    groups: dict[str, list[Callable[[str], bool]]] = {"": [], "-": [], "?": []}
    position = 0
    while position < len(text.rstrip()):
        match = _TERM.match(text, position)
        if match is None:
            _refuse(text, position)
        sign, quoted, regex, word = match.groups()
        groups[sign].append(_contains(_unescaped(quoted) if quoted is not None else word, regex))
        position = match.end()
    required, excluded, optional = groups[""], groups["-"], groups["?"]
    if required or excluded:
        optional = []  # CloudWatch ignores optional terms beside others

    def matches(message: str) -> bool:
        return (
            all(found(message) for found in required)
            and not any(found(message) for found in excluded)
            and (not optional or any(found(message) for found in optional))
        )

    return matches


def _contains(term: str | None, regex: str | None) -> Callable[[str], bool]:
    if regex is not None:
        expression = _regex(regex)
        return lambda message: expression.search(message) is not None
    return lambda message: str(term) in message


def _json_pattern(text: str) -> Callable[[str], bool]:
    if not text.endswith("}"):
        _refuse(text, len(text))
    condition = _Parser(text[1:-1]).parse()

    def matches(message: str) -> bool:
        try:
            event = json.loads(message)
        except (ValueError, RecursionError):
            return False
        return isinstance(event, dict) and condition(event)

    return matches


class _Parser:
    """Reads a JSON pattern without its braces. ``&&`` binds closer than ``||``."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str]] = []
        position, end = 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                _refuse(text, position)
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()
        self._next = 0

    def parse(self) -> _Condition:
        condition = self._any()
        if self._next != len(self._tokens):
            self._fail()
        return condition

    def _any(self) -> _Condition:
        conditions = [self._all()]
        while self._took("||"):
            conditions.append(self._all())
        return lambda event: any(condition(event) for condition in conditions)

    def _all(self) -> _Condition:
        conditions = [self._one()]
        while self._took("&&"):
            conditions.append(self._one())
        return lambda event: all(condition(event) for condition in conditions)

    def _one(self) -> _Condition:
        if self._took("("):
            condition = self._any()
            if not self._took(")"):
                self._fail()
            return condition
        selector = self._take("selector")[1]
        steps = [name or word or int(index) for name, index, word in _STEP.findall(selector[1:])]
        kind, operator = self._take("operator", "word")
        test = self._keyword_test(operator) if kind == "word" else self._comparison(operator)
        return lambda event: test(_select(event, steps))

    def _keyword_test(self, first: str) -> _Condition:
        words = f"{first} {self._take('word')[1]}".upper()
        if words not in _KEYWORD_TESTS:
            self._fail()
        return _KEYWORD_TESTS[words]

    def _comparison(self, operator: str) -> _Condition:
        kind, operand = self._take("quoted", "regex", "word")
        if operator in _ORDERS:
            if kind != "word" or not _NUMBER.fullmatch(operand):
                self._fail()
            order, limit = _ORDERS[operator], float(operand)
            return lambda value: _is_number(value) and order(value, limit)
        if operator not in {"=", "!="}:
            self._fail()
        equals = _equality(kind, operand)
        # A field that is absent, null, a list or an object is neither equal nor unequal.
        return lambda value: isinstance(value, str | bool | int | float) and equals(value) == (operator == "=")

    def _take(self, *kinds: str) -> tuple[str, str]:
        if self._next == len(self._tokens) or self._tokens[self._next][0] not in kinds:
            self._fail()
        self._next += 1
        return self._tokens[self._next - 1]

    def _took(self, operator: str) -> bool:
        taken = self._tokens[self._next : self._next + 1] == [("operator", operator)]
        self._next += taken
        return taken

    def _fail(self) -> NoReturn:
        raise FilterPatternError(f"Invalid filter pattern: {{{self._text[:200]}}}")


_KEYWORD_TESTS: dict[str, _Condition] = {
    "IS NULL": lambda value: value is None,
    "IS TRUE": lambda value: value is True,
    "IS FALSE": lambda value: value is False,
    "NOT EXISTS": lambda value: value is _ABSENT,
}


def _equality(kind: str, operand: str) -> _Condition:
    if kind == "regex":
        expression = _regex(operand)
        return lambda value: expression.search(_text(value)) is not None
    wanted = _unescaped(operand) if kind == "quoted" else operand
    if "*" in wanted:
        wildcard = re.compile(".*".join(map(re.escape, wanted.split("*"))), re.DOTALL)
        return lambda value: wildcard.fullmatch(_text(value)) is not None
    if kind == "word" and _NUMBER.fullmatch(wanted):
        number = float(wanted)
        return lambda value: value == number if _is_number(value) else value == wanted
    return lambda value: value == wanted


def _select(event: Any, steps: list[str | int]) -> Any:
    for step in steps:
        if isinstance(step, int):
            event = event[step] if isinstance(event, list) and step < len(event) else _ABSENT
        else:
            event = event.get(step, _ABSENT) if isinstance(event, dict) else _ABSENT
    return event


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unescaped(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)


def _regex(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise FilterPatternError(f"Invalid filter pattern: %{text[:200]}% is not a regular expression.") from error


def _refuse(text: str, position: int) -> NoReturn:
    raise FilterPatternError(f"Invalid filter pattern at character {position + 1}: {text[:200]}")
