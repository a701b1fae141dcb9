"""Sends the functions' output to their log groups, as Lambda does: in order and in batches, without delaying them.

The first lines of a stream go through the AWS API, with the function's role. After that, moto gets them without a request,
which would cost a third of what the local cloud does for a call.

CloudWatch Logs extracts the metrics from lines in the embedded metric format; so does this module.
"""

import contextlib
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from moto.logs.models import LogsBackend

from stack.local.monitoring.emf import EmfError, samples_of
from stack.local.monitoring.store import MetricKey, Record, Sample

_FLUSH_SECONDS = 0.1
_BATCH_LINES = 1000
_LINE_BYTES = 256 * 1024
"""CloudWatch Logs truncates an event at this size."""


class LogShipper:
    """One thread that ships lines to CloudWatch Logs.

    Args:
        client_of: the ``logs`` client of a log group: Lambda writes with the function's role.
        backend: moto's CloudWatch Logs, which the client reaches.
        record: keeps the metrics in the lines.
        echo: also print each line on standard error.
    """

    def __init__(self, client_of: Callable[[str], Any], backend: LogsBackend, record: Record, *, echo: bool) -> None:
        self._client_of = client_of
        self._backend = backend
        self._record = record
        self._echo = echo
        self._lines: queue.Queue[tuple[str, str, int, str] | None] = queue.Queue()
        self._streams: set[tuple[str, str]] = set()
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)
        self._thread.start()

    def write(self, group: str, stream: str, line: str) -> None:
        """Queue one log event."""
        if self._echo:
            # One write, so that the lines of several functions do not mix.
            sys.stderr.write(f"{group.rsplit('/', 1)[-1]} {line}\n")
        self._lines.put((group, stream, int(time.time() * 1000), line))

    def close(self) -> None:
        """Ship the rest, then stop."""
        self._lines.put(None)
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            batch, end = [line], time.monotonic() + _FLUSH_SECONDS
            while len(batch) < _BATCH_LINES and (left := end - time.monotonic()) > 0:
                try:
                    line = self._lines.get(timeout=left)
                except queue.Empty:
                    break
                if line is None:
                    self._lines.put(None)  # ends the outer loop
                    break
                batch.append(line)
            self._ship(batch)

    def _ship(self, batch: list[tuple[str, str, int, str]]) -> None:
        by_stream: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for group, stream, timestamp, line in batch:
            self._extract(group, line)
            cut = line.encode("utf-8", "replace")[:_LINE_BYTES].decode("utf-8", "ignore")
            by_stream.setdefault((group, stream), []).append({"timestamp": timestamp, "message": cut or " "})
        for (group, stream), events in by_stream.items():
            try:
                if (group, stream) in self._streams:
                    self._backend.put_log_events(group, stream, events)
                    continue
                client = self._client_of(group)
                with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):  # earlier lines were refused
                    client.create_log_stream(logGroupName=group, logStreamName=stream)
                client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
                self._streams.add((group, stream))
            except Exception as error:  # a lost log line must not stop the ones after it
                print(f"local cloud: lost log lines of {group}: {len(events)} ({error})", file=sys.stderr)

    def _extract(self, group: str, line: str) -> None:
        try:
            samples = samples_of(line)
        except EmfError as error:
            print(f"local cloud: {group}: {error}", file=sys.stderr)
            samples = [
                Sample(MetricKey.of("AWS/Logs", "EMFValidationErrors", {"LogGroupName": group}), 1, time.time(), "Count")
            ]
        self._record(samples)
