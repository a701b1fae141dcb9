"""A logger that keeps its lines for the test to read, and prints nothing."""

from typing import Any

from lib.platform.log import Logger


class QuietLogger(Logger):
    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def info(self, message: str, /, **fields: Any) -> None:
        self.lines.append(("info", message, fields))

    def warning(self, message: str, /, **fields: Any) -> None:
        self.lines.append(("warning", message, fields))

    def error(self, message: str, error: BaseException | None = None, /, **fields: Any) -> None:
        self.lines.append(("error", message, {**fields, "error": error}))

    def defect(self, message: str, error: BaseException, /, **fields: Any) -> None:
        self.error(message, error, **fields)

    def messages(self) -> list[str]:
        return [message for _, message, _ in self.lines]
