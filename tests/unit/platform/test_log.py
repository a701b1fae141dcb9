"""The log lines: one JSON object each, with nothing in it that must not be there."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from lib.platform import log
from tests.support.observability.log_lines import LogLines

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def logger() -> log.Logger:
    return log.Logger("under-test")


@pytest.fixture
def lines(logger: log.Logger) -> LogLines:
    return LogLines("under-test")


# What every line has


def test_a_line_says_what_when_and_where(logger: log.Logger, lines: LogLines) -> None:
    logger.start_run("run-1", "event-1", "correlation-1")
    logger.info("hello", answer=42)

    line = lines.only("hello")

    assert (line["level"], line["function"], line["timezone"], line["answer"]) == ("INFO", "under-test", "America/Phoenix", 42)
    assert (line["run_id"], line["event_id"], line["correlation_id"]) == ("run-1", "event-1", "correlation-1")
    assert line["generated_at"].endswith("-07:00")


def test_a_run_drops_the_fields_of_the_previous_one(logger: log.Logger, lines: LogLines) -> None:
    logger.start_run("run-1", "event-1")
    logger.start_run("run-2")
    logger.info("hello")

    line = lines.only("hello")

    assert line["run_id"] == "run-2"
    assert "event_id" not in line
    assert line["function"] == "under-test"


@pytest.mark.parametrize("write", ["info", "warning", "error"])
def test_each_level_has_its_name(logger: log.Logger, lines: LogLines, write: str) -> None:
    getattr(logger, write)("hello")
    assert lines.only("hello")["level"] == write.upper()


def test_an_error_is_logged_by_class_and_text_without_a_stack(logger: log.Logger, lines: LogLines) -> None:
    logger.error("failed", ValueError("no such thing"), channel="sns")

    line = lines.only("failed")

    assert (line["error"], line["error_text"], line["channel"]) == ("ValueError", "no such thing", "sns")
    assert "exception" not in line


def test_a_defect_is_logged_with_its_stack(logger: log.Logger, lines: LogLines) -> None:
    try:
        raise ZeroDivisionError("of nothing")
    except ZeroDivisionError as error:
        logger.defect("broke", error)

    line = lines.only("broke")

    assert line["exception_name"] == "ZeroDivisionError"
    assert "test_log.py" in line["exception"]


# Names of fields


@pytest.mark.parametrize("name", ["message", "args", "name", "msg", "exc_info", "asctime", "levelname", "self"])
def test_no_name_of_a_field_breaks_the_line(logger: log.Logger, lines: LogLines, name: str) -> None:
    logger.info("hello", **{name: "mine"})
    assert "mine" in lines.only("hello").values()


@pytest.mark.parametrize("name", ["level", "function", "run_id", "timezone", "generated_at", "timestamp", "exception"])
def test_no_field_replaces_a_standard_field(logger: log.Logger, lines: LogLines, name: str) -> None:
    logger.start_run("run-1")
    logger.info("hello", **{name: "mine"})

    line = lines.only("hello")

    assert line[f"{name}_"] == "mine"
    assert (line["level"], line["function"], line["run_id"]) == ("INFO", "under-test", "run-1")


def _fields_of_log_calls(module: Path) -> set[str]:
    calls = [node for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Call)]
    return {
        keyword.arg
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr in {"info", "warning", "error", "defect"}
        for keyword in call.keywords
        if keyword.arg is not None
    }


def test_no_function_logs_a_field_that_has_to_be_renamed() -> None:
    """A reserved name gets a trailing underscore, which nobody would search for."""
    modules = [
        path for folder in ("handlers", "lib") for path in (ROOT / folder).rglob("*.py") if path != ROOT / "lib/platform/log.py"
    ]
    renamed = {str(path): _fields_of_log_calls(path) & log._RESERVED for path in modules}
    assert {path: names for path, names in renamed.items() if names} == {}


# E-mail addresses


@pytest.mark.parametrize(
    "text",
    [
        "rosa.field@example.org",
        "by <rosa.field@example.org>, today",
        "'rosa.field@example.org'",
        "mailto:rosa.field@example.org?subject=x",
        '{"userEmail": "rosa.field@example.org"}',
        "/leases/rosa.field@example.org/1",
        "/leases?user=rosa.field%40example.org",
    ],
)
def test_an_email_address_is_replaced_by_its_hash(text: str) -> None:
    scrubbed = log.scrub(text)
    assert "rosa" not in scrubbed
    assert "example.org" not in scrubbed
    assert log.hash_email("rosa.field@example.org") in scrubbed


@pytest.mark.parametrize(
    ("text", "secret_part"),
    [
        ("seán.o'brien@example.org", "brien"),
        ('"rosa field"@example.org', "rosa"),
        ("rosa+sandbox%test@sub.example.org", "rosa"),
        ("用户@例子.公司", "用户"),
        ("a@b", "a@b"),
    ],
)
def test_unusual_addresses_are_replaced_completely(text: str, secret_part: str) -> None:
    assert secret_part not in log.scrub(text)


def test_an_address_has_the_same_hash_in_any_case() -> None:
    assert log.hash_email(" Rosa.Field@Example.org ") == log.hash_email("rosa.field@example.org")
    assert log.hash_email("rosa.field@example.org") != log.hash_email("rosa.fields@example.org")


def test_addresses_are_hashed_anywhere_in_a_line(logger: log.Logger, lines: LogLines) -> None:
    logger.info(
        "to rosa@example.org",
        who="rosa@example.org",
        deep={"rosa@example.org": ["rosa@example.org", {"x": "rosa@example.org"}]},
    )
    try:
        raise ValueError("rosa@example.org")
    except ValueError as error:
        logger.error("failed", error)
        logger.defect("broke", error)

    assert "rosa" not in lines.text
    assert lines.text.count(log.hash_email("rosa@example.org")) == 8


# Secrets


@pytest.mark.parametrize(
    "secret",
    [
        "xoxb-1234567890-abcdefghij",
        "xapp-1-A012-345-abcdef",
        "https://hooks.slack.com/services/T012/B345/abcdefghijkl",
        "https://hooks.slack.com/actions/T012/345/abcdefghijkl",
        "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9",
        "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "glpat-abcdefghij0123456789",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "github_pat_11ABCDEFG0abcdefghijkl_0123456789",
        "https://prod-1.westus.logic.azure.com:443/workflows/0123456789abcdef0123456789abcdef/triggers/manual/paths/invoke?sv=1.0&sig=x",
        "Basic dXNlcjpwYXNzd29yZA==",
        "authorization: bearer abcdefghijklmnop",
        "ATATT3xFfGF0abcdefghijklmnopqrstuvwx",
        "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl",
        "switchboard-11111111-2222-4333-8444-555555555555-66666666-7777-4888-8999-000000000000",
        "AWS4-HMAC-SHA256 Credential=AKIA/x, Signature=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9",
    ],
)
def test_known_shapes_of_secrets_are_blanked(secret: str) -> None:
    scrubbed = log.scrub(f"got {secret} from there")
    assert "[redacted]" in scrubbed
    assert secret[-9:] not in scrubbed


@pytest.mark.parametrize(
    "text",
    [
        "issue_key=PROJ-123 operation_key=sns",
        "0b6c6f0e-3a1f-4f5e-8d7d-9a4e7a2f1c01",
        "arn:aws:secretsmanager:eu-west-2:111122223333:secret:token-AbCdEf",
        "Basic cover is not Bearer cover",
        "sha256 of the names",
        "v1,v2 and v1,3",
    ],
)
def test_text_that_is_not_a_secret_is_unchanged(text: str) -> None:
    assert log.scrub(text) == text


# What can't be written, and what is too long


class Unprintable:
    def __repr__(self) -> str:
        return "x" * 5000


@pytest.mark.parametrize(
    "value",
    [
        "\ud800",
        "\x00\n\t",
        float("nan"),
        float("inf"),
        10**5000,
        {(1, 2): 3},
        {1, 2},
        b"\xff",
        Unprintable(),
        "é☎",
        [[[[[[1]]]]]],
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_value_becomes_one_line_of_strict_json(logger: log.Logger, lines: LogLines, value: Any) -> None:
    logger.info("hello", value=value)

    assert len(lines.text.splitlines()) == 1
    line = json.loads(lines.text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert line["message"] == "hello"
    assert "value" in line
    lines.text.encode()


def test_long_strings_are_cut_and_marked(logger: log.Logger, lines: LogLines) -> None:
    logger.info("hello", text="x" * 400_000, key={"y" * 400_000: 1}, items=list(range(1000)))

    line = lines.only("hello")

    assert line["text"] == "x" * 1000 + "… (399000 more)"
    assert len(line["items"]) == 50
    assert len(lines.text) < 5000


def test_a_long_stack_trace_keeps_both_ends(logger: log.Logger, lines: LogLines) -> None:
    try:
        raise ValueError("begin " + "x" * 400_000 + " end")
    except ValueError as error:
        logger.defect("broke", error)

    exception = lines.only("broke")["exception"]

    assert exception.startswith("Traceback")
    assert exception.endswith(" end")
    assert len(exception) < 10_000


def test_an_oversized_line_keeps_its_standard_fields(logger: log.Logger, lines: LogLines) -> None:
    logger.start_run("run-1")
    logger.info("hello", small=1, big={str(n): {str(m): "x" * 900 for m in range(50)} for n in range(50)})

    line = lines.only("hello")

    assert (line["run_id"], line["small"], "big" in line) == ("run-1", 1, False)
    assert line["cut"] > log.MAX_LINE_CHARACTERS
    assert len(lines.text) < 5000


# Shapes that a careless expression would take hours on: that the test ends at all is what it says.


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "shape",
    [
        "a{}@",
        "a.{}@-",
        "@{}",
        "a'{}@",
        '"a{}@',
        "%40{}",
        "xoxb-{}",
        "eyJa{}",
        "eyJaaaaaaaaaa.{}",
        "Bearer {}",
        "0123456789abcdef-{}",
        "a@b.{}",
    ],
)
def test_scrubbing_takes_linear_time(shape: str) -> None:
    before, after = shape.split("{}")
    text = before * 200_000 + after
    assert len(log.scrub(text)) <= 2 * len(text) * len("email:0123456789abcdef")
