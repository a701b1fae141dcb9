"""A pytest session that watches grants fails on an unused grant, but only if all tests were run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]

CONFTEST = '''
import http.server, json, threading
import pytest
from tests.support.iam import grant_plugin
from tests.support.iam.grants import WATCH


def pytest_configure(config):
    config.pluginmanager.register(grant_plugin, "grants")


class FakeCloud:
    """Serves a ledger that tests write to."""

    def __init__(self):
        self.uses = {"s3:GetObject": 0, "s3:PutObject": 0}
        self.refused = 0
        cloud = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                row = {"principal": "role/web", "resource": "arn:aws:s3:::b/k"}
                grants = [{**row, "action": name, "uses": uses, "reason": ""} for name, uses in cloud.uses.items()]
                refusals = [{**row, "action": "s3:DeleteObject", "times": cloud.refused}] if cloud.refused else []
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps({"grants": grants, "refusals": refusals}).encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture(scope="session")
def cloud():
    fake = FakeCloud()
    WATCH.join(fake.url)
    yield fake
    WATCH.leave(fake.url)
    fake.server.shutdown()
'''
READS = "def test_reads(cloud):\n    cloud.uses['s3:GetObject'] += 1\n"
WRITES = "def test_writes(cloud):\n    cloud.uses['s3:PutObject'] += 1\n"
OVERREACHES = "def test_overreaches(cloud):\n    cloud.refused += 1\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = suite\naddopts = --strict-markers\n")
    return tmp_path


def run(project: Path, *arguments: str, **files: str) -> subprocess.CompletedProcess[str]:
    for name, text in files.items():
        (project / "suite" / f"{name}.py").write_text(text)
    own = ("PYTEST_", "COV_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    # Other plugins take seconds to import.
    environment |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=project,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_whole_run_that_leaves_a_grant_unused_fails_and_names_it(project: Path) -> None:
    done = run(project, test_reads=READS)

    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert "unused: role/web  s3:PutObject  s3:b/k" in done.stdout
    assert "s3:GetObject | s3:b/k | 1 | suite/test_reads.py::test_reads |" in (project / "build" / "iam-report.md").read_text()


@pytest.mark.parametrize("arguments", [["-k", "reads"], ["suite/test_reads.py"], ["--ignore=suite/test_writes.py"]])
def test_a_run_of_a_part_reports_and_does_not_fail(project: Path, arguments: list[str]) -> None:
    done = run(project, *arguments, test_reads=READS, test_writes=WRITES)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 grants, 1 used, 0 kinds of refusals (partial: not every test was run)" in done.stdout


def test_workers_together_are_one_run(project: Path) -> None:
    """Each worker sees one of the two grants used."""
    done = run(project, "-p", "xdist.plugin", "-n", "2", "--dist", "loadfile", test_reads=READS, test_writes=WRITES)

    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((project / "build" / "iam-report.json").read_text())
    assert report["whole"]
    assert {grant["action"]: grant["tests"] for grant in report["grants"]} == {
        "s3:GetObject": ["suite/test_reads.py::test_reads"],
        "s3:PutObject": ["suite/test_writes.py::test_writes"],
    }


def test_a_refusal_fails_the_run_unless_the_test_expects_it(project: Path) -> None:
    rest = {"test_reads": READS, "test_writes": WRITES}
    surprised = run(project, test_overreaches=OVERREACHES, **rest)
    prepared = run(project, test_overreaches=f"import pytest\n@pytest.mark.rights_by_hand\n{OVERREACHES}", **rest)

    assert surprised.returncode == 1
    assert "refused: role/web  s3:DeleteObject  s3:b/k (suite/test_overreaches.py::test_overreaches)" in surprised.stdout
    assert prepared.returncode == 0, prepared.stdout
