"""Rows as JSON. An engine evaluates the expressions."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.shuttle.catalogue.json_sql import json_object
from lib.shuttle.engine import Engine
from lib.shuttle.entities import ColumnType

ODD = ["", "a", '"', "\\", '\\"', "\n", "\t", "\r", "\x01", "\x1f", "\x7f", "é", "\u2028", "🫖", "</script>", "\\u0041"]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(Path(tmp_path_factory.mktemp("engine"))) as engine:
        yield engine


@pytest.mark.parametrize("length", [0, 50], ids=["short", "long"])
@pytest.mark.parametrize("kind", list(ColumnType))
def test_every_text_is_a_text_of_json(engine: Engine, kind: ColumnType, length: int) -> None:
    texts = [("x" * length) + odd + ("y" * length) for odd in ODD]
    query = f"SELECT {json_object([('a', kind, 't')], short_row=50)} FROM (SELECT unnest(?::VARCHAR[]) AS t)"
    assert [json.loads(line)["a"] for (line,) in engine.rows(query, [texts])] == texts


def test_a_row_of_many_columns_is_one_object(engine: Engine) -> None:
    members = [(f"c{index}", ColumnType.STRING, f"t || {index}") for index in range(200)]
    ((line,),) = engine.rows(f"SELECT {json_object(members)} FROM (SELECT '\"' AS t)")
    assert json.loads(line) == {f"c{index}": f'"{index}' for index in range(200)}
