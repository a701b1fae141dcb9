"""A merge takes less memory than its files, which it reads piece by piece and spills to disk: far below 400 MB."""

import json
import subprocess
import sys
import textwrap
from typing import Any

from tests.support.project.examples import examples

ALLOWED_MB = 400
CATALOGUE_ROWS = examples(80_000, thorough=1_500_000)
ROW_BYTES = 3_000  # 240 MB, or 4.5 GB; so much again is in the file

PROGRAM = """
    import json, re, sys, tempfile
    from pathlib import Path
    from lib.shuttle.catalogue.merging import BaseFile, merge
    from lib.shuttle.engine import Engine
    from lib.shuttle.entities import Column
    from lib.shuttle.imports.checking import CheckedFile
    from lib.shuttle.imports.reports import ErrorReport
    from lib.shuttle.jobs.job import JobMode
    from tests.support.shuttle.catalogue import a_schema

    mode, catalogue_rows, row_bytes = JobMode.OVERWRITE_EXISTING, int(sys.argv[1]), int(sys.argv[2])
    schema = a_schema([Column(name="sku"), Column(name="text"), Column(name="more")])

    def file(first, count, salt):
        text = f"md5(concat('{salt}', i)) || repeat('lorem ipsum ', {row_bytes // 24})"
        row = f"'SKU-' || (i + {first}) AS c0, {text} AS c1, {text} AS c2"
        relation = f"SELECT row_number() OVER () AS n, {row} FROM range({count}) t(i)"
        return CheckedFile(relation, count, 0, 0, ErrorReport(), None)

    def merged(rows, base, name):
        (folder / name).mkdir()
        with Engine(folder, keeps_order=False) as engine:
            return merge(engine, rows, schema, mode, base=base, folder=folder / name, max_rows=10**9)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = BaseFile(merged(file(0, catalogue_rows, "a"), None, "base").path, schema.key_columns)
        counts = merged(file(catalogue_rows // 2, catalogue_rows, "b"), base, "new").counts
    peak = re.search(r"VmHWM:\\\\s+([0-9]+) kB", Path("/proc/self/status").read_text())[1]
    print(json.dumps({"peak_mb": int(peak) / 1024, "added": counts.added, "replaced": counts.replaced}))
"""


def test_a_merge_of_many_long_rows_stays_below_400_mb() -> None:
    program = textwrap.dedent(PROGRAM).replace("\\\\", "\\")
    arguments = [sys.executable, "-c", program, str(CATALOGUE_ROWS), str(ROW_BYTES)]
    ran = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=600)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    assert (found["added"], found["replaced"]) == (CATALOGUE_ROWS // 2, CATALOGUE_ROWS // 2)
    assert found["peak_mb"] < ALLOWED_MB
