"""The engine can be stopped, is bounded, and reaches nothing outside of its folder."""

import gzip
import time
from pathlib import Path

import pytest

from lib.shuttle import engine as engine_module
from lib.shuttle.engine import Engine, EngineError, identifier, literal
from lib.shuttle.imports.files import Failure, UnreadableFileError

SLOW = {
    "aggregation": "SELECT count(*), sum(hash(a.range * b.range)) FROM range(10000000) a, range(1000000) b",
    "sort": "SELECT count(*) FROM (SELECT md5(range::VARCHAR) h FROM range(80000000) ORDER BY h OFFSET 5)",
    "join": "SELECT count(*) FROM range(30000000) a JOIN range(30000000) b ON md5(a.range::VARCHAR) = md5(b.range::VARCHAR)",
    "COPY": "COPY (SELECT md5(range::VARCHAR) AS a FROM range(80000000)) TO '{folder}/out.parquet' (COMPRESSION zstd)",
}


class Stop(Exception):  # noqa: N818 - not an error
    pass


def engine_that_stops_after(seconds: float, folder: Path) -> Engine:
    begun = time.monotonic()

    def on_wait() -> None:
        if time.monotonic() - begun >= seconds:
            raise Stop

    return Engine(folder, on_wait)


@pytest.mark.parametrize("kind", SLOW)
def test_a_query_is_stopped_within_a_second(kind: str, tmp_path: Path) -> None:
    with engine_that_stops_after(0.7, tmp_path) as engine:
        begun = time.monotonic()

        with pytest.raises(Stop):
            engine.run(SLOW[kind].format(folder=tmp_path))

        assert time.monotonic() - begun < 0.7 + 0.5 + 1


def test_a_stopped_engine_can_be_used_again(tmp_path: Path) -> None:
    stop = [True]

    def on_wait() -> None:
        if stop:
            raise Stop

    with Engine(tmp_path, on_wait) as engine:
        with pytest.raises(Stop):
            engine.run(SLOW["aggregation"])
        stop.clear()

        assert engine.rows("SELECT 1") == [(1,)]


def test_texts_are_passed_as_parameters_or_quoted(tmp_path: Path) -> None:
    odd = "a'b\"c\n; DROP TABLE x --"
    with Engine(tmp_path) as engine:
        assert engine.rows("SELECT ?", [odd]) == [(odd,)]
        assert engine.rows(f"SELECT {literal(odd)}") == [(odd,)]
        assert engine.rows(f"SELECT {identifier(odd)} FROM (SELECT 1 AS {identifier(odd)})") == [(1,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('{outside}')",
        "SELECT * FROM read_csv('{folder}/../outside.txt')",
        "SELECT * FROM '{outside}'",
        "COPY (SELECT 1) TO '{outside}'",
        "ATTACH '{outside}.db'",
        "SELECT * FROM glob('{outside}*')",
        "EXPORT DATABASE '{outside}.d'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT * FROM read_csv('http://127.0.0.1:9/x.csv')",
        "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
        "SET memory_limit = '8GB'",
        "SET threads = 4",
        "SET allowed_directories = ['/']",
        "SET enable_external_access = true",
        "SET temp_directory = '/'",
        "RESET lock_configuration",
        "PRAGMA enable_logging",
        "SET GLOBAL autoinstall_known_extensions = true",
        "SELECT getenv('HOME')",
        "SELECT * FROM python_variable",
    ],
)
def test_nothing_outside_of_the_folder_can_be_reached(sql: str, tmp_path: Path) -> None:
    python_variable = [(1,)]  # noqa: F841 - what a replacement scan would find
    folder = tmp_path / "job"
    folder.mkdir()
    outside = tmp_path / "outside.txt"
    outside.write_text("secret")

    with Engine(folder) as engine, pytest.raises(EngineError):
        engine.run(sql.format(folder=folder, outside=outside))

    assert sorted(path.name for path in tmp_path.iterdir()) == ["job", "outside.txt"]
    assert outside.read_text() == "secret"


def test_the_folder_can_be_read_and_written(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        engine.run(f"COPY (SELECT 1 AS a) TO '{tmp_path}/a.parquet'")

        assert engine.rows(f"SELECT a FROM '{tmp_path}/a.parquet'") == [(1,)]


def test_a_query_beyond_the_memory_limit_fails_the_file(tmp_path: Path) -> None:
    with Engine(tmp_path, memory_mb=30) as engine, pytest.raises(UnreadableFileError) as raised:
        engine.run("SELECT list(md5(range::VARCHAR)) FROM range(3000000)")

    assert raised.value.failure is Failure.TOO_LARGE_TO_MERGE


def test_a_sort_larger_than_memory_spills_to_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "WAIT_SECONDS", 0.02)
    spilled: set[str] = set()

    def on_wait() -> None:
        spilled.update(path.name for path in (tmp_path / "spill").glob("*"))

    with Engine(tmp_path, on_wait, memory_mb=60) as engine:
        engine.run(f"COPY (SELECT md5(range::VARCHAR) AS a FROM range(1000000) ORDER BY a) TO '{tmp_path}/a.parquet'")

    assert spilled


def test_lines_are_written_as_one_gzip(tmp_path: Path) -> None:
    calls: list[None] = []
    with Engine(tmp_path, lambda: calls.append(None)) as engine:
        engine.write_lines(["SELECT 'a \"b\", c'", "SELECT 'x' WHERE false", "SELECT range FROM range(2)"], tmp_path / "a.gz")
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == b'a "b", c\n0\n1\n'
    assert [path.name for path in tmp_path.iterdir()] == ["a.gz"]
    assert calls


def test_lines_that_fill_the_disk_fail_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.gz").symlink_to("/dev/full")
    with Engine(tmp_path) as engine, pytest.raises(UnreadableFileError) as raised:
        engine.write_lines(["SELECT md5(range::VARCHAR) FROM range(100000)"], tmp_path / "a.gz")
    assert raised.value.failure is Failure.TOO_LARGE_TO_MERGE


@pytest.mark.parametrize(("raised", "expected"), [(MemoryError, UnreadableFileError), (ValueError, EngineError)])
def test_a_query_that_ends_with_any_error_fails(
    raised: type[Exception], expected: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        def execute(self, *_: object) -> None:
            raise raised

        def close(self) -> None:
            pass

    with Engine(tmp_path) as engine:
        monkeypatch.setattr(engine, "_connection", Failing())

        with pytest.raises(expected):
            engine.run("SELECT 1")


def test_an_error_has_no_file_content(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("secret-cell\n")

    with Engine(tmp_path) as engine, pytest.raises(EngineError) as raised:
        engine.run(f"SELECT CAST(column0 AS INTEGER) FROM read_csv('{tmp_path}/a.csv', header=false, all_varchar=true)")

    assert str(raised.value) == "a query failed: ConversionException"
    assert raised.value.__suppress_context__
    assert "secret-cell" not in repr(raised.value.__cause__)
