"""Every error is one sentence, with exit code 1 for a failure and 2 for a usage error."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import NoReturn
from unittest import mock

import click
import pytest
from botocore.exceptions import ClientError, NoCredentialsError, ProfileNotFound
from click.testing import Result

from handlers.cli import deployment
from handlers.cli.__main__ import _COMMANDS, cli
from handlers.cli.approvals import DRAFT_TEMPLATE
from handlers.cli.options import Day, start_of
from lib.approvals.drafts import Draft, read_draft
from lib.platform import aws, errors
from tests.support.dynamodb.servers import resetting

ROOT = Path(__file__).resolve().parents[3]
Run = Callable[..., Result]


def raise_from_everywhere(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr(deployment, "find", fail)


def translated(error: ClientError | NoCredentialsError) -> errors.SwitchboardError:
    try:
        try:
            raise error
        except (ClientError, NoCredentialsError) as cause:
            raise aws.translate(cause, "list issues") from None
    except errors.SwitchboardError as error:
        return error


DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "ada@example.com may not"}}, "Query")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (errors.NotFoundError("OPS-1 is not stored"), "OPS-1 is not stored"),
        (errors.NotFoundError("two\nlines"), "two lines"),
        (translated(DENIED), "could not list issues: AccessDeniedException"),
        (DENIED, "could not do that: AccessDeniedException"),
        (NoCredentialsError(), "no AWS credentials: log in, or set AWS_PROFILE or AWS_ACCESS_KEY_ID"),
        (translated(NoCredentialsError()), "no AWS credentials: log in, or set AWS_PROFILE or AWS_ACCESS_KEY_ID"),
        (ProfileNotFound(profile="prod"), "The config profile (prod) could not be found"),
        (PermissionError(13, "Permission denied", "out.json"), "out.json: Permission denied"),
        (click.Abort(), "interrupted."),
    ],
)
def test_an_error_is_one_sentence_and_exit_code_1(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, sentence: str
) -> None:
    raise_from_everywhere(monkeypatch, error)

    result = run("issues", "get", "OPS-1")

    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"Error: {sentence}\n")


def test_ctrl_c_prints_one_sentence_and_no_stack_trace(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    raise_from_everywhere(monkeypatch, KeyboardInterrupt())

    result = run("issues", "get", "OPS-1")

    assert (result.exit_code, result.stderr.strip()) == (1, "Error: interrupted.")


def test_an_internal_error_shows_its_place_and_not_its_text(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    raise_from_everywhere(monkeypatch, KeyError("ada@example.com"))

    result = run("issues", "get", "OPS-1")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: internal error: KeyError at handlers/cli/__main__.py:")
    assert "ada" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("launch",), "No such command 'launch'."),
        (("--output", "x", "health"), "No such option '--output'. Did you mean '--outputs'?"),
        (("issus", "list"), "No such command 'issus'. Did you mean 'issues'?"),
        (("issues", "histroy"), "No such command 'histroy'. Did you mean 'history'?"),
        (("--outputs", "x", "--stack", "y", "health"), "Pass either --outputs or --stack, not both."),
        (("issues", "get", "ops-1"), "Invalid value for 'KEY': 'ops-1' is not an issue key."),
        (("issues", "list"), "Pass at least one of --project, --status, --assignee and --fix-version."),
        (("issues", "list", "--project", "o"), "Invalid value for '--project': 'o' is not a project key."),
        (("issues", "list", "--status", "Done", "--limit", "0"), "Invalid value for '--limit': 0 is not in the range x>=1."),
        (("reconcile", "--project", "OPS-1"), "Invalid value for '--project': 'OPS-1' is not a project key."),
        (
            ("prune", "--older-than", "soon"),
            "Invalid value for '--older-than': 'soon' is not a length of time: write 12h, 90d or 4w.",
        ),
        (("backfill",), "Missing option '--from-table' or '--in-cloud'."),
        (("backfill", "--from-table", "t", "--segments", "11"), "--segments can be 1 to 10 without --in-cloud."),
        (("backfill", "--from-table", "t", "--json"), "--writes-per-second and --json need --in-cloud."),
        (
            ("backfill", "--in-cloud", "start", "--from-table", "t"),
            "--in-cloud takes no --from-table, --resume, --dry-run or --checkpoint.",
        ),
        (
            ("shuttle", "usage", "--month", "2026-1"),
            "Invalid value for '--month': '2026-1' is not a valid month: write it like 2026-01.",
        ),
        (
            ("operations", "list", "--day", "2026-13-01"),
            "Invalid value for '--day': '2026-13-01' is not a day: write 2026-01-22.",
        ),
        (
            ("operations", "list", "--day", "0001-01-01"),
            "Invalid value for '--day': '0001-01-01' is not a day from 1970-01-01 to 9999-12-29.",
        ),
        (
            ("issues", "correlate", "--project", "OPS", "--until", "9999-12-31"),
            "Invalid value for '--until': '9999-12-31' is not a day from 1970-01-01 to 9999-12-29.",
        ),
        (
            ("costs", "--events", "99999999999999999999"),
            "Invalid value for '--events': 99999999999999999999 is not in the range 0<=x<=1000000000000000.",
        ),
        (("shuttle", "jobs", "get", "teapots.example.com", "7"), "Invalid value for 'JOB': '7' is not a job id."),
        (
            ("shuttle", "jobs", "list", "teapots"),
            "Invalid value for 'SHOP': 'teapots' is not a valid shop domain: write it like teapots.example.com.",
        ),
        (("redrive", "--drop", "--yes"), "--drop always asks: it can't be combined with --dry-run, --show or --yes."),
        (("redrive", "--function", "cook"), None),
    ],
)
def test_a_usage_error_is_one_sentence_and_exit_code_2(run: Run, arguments: tuple[str, ...], sentence: str | None) -> None:
    result = run(*arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("Error: ") == 1
    assert len(result.stderr.splitlines()) == 1
    if sentence:
        assert result.stderr == f"Error: {sentence}\n"


def test_the_stack_option_beats_the_variable_with_the_outputs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[tuple[str | None, str | None]] = []

    def find(outputs: str | None, stack: str | None) -> NoReturn:
        found.append((outputs, stack))
        raise errors.NotFoundError("stop here")

    monkeypatch.setattr(deployment, "find", find)
    monkeypatch.setenv("SWITCHBOARD_OUTPUTS", "ready.json")

    run("issues", "get", "OPS-1")
    run("--stack", "prod", "issues", "get", "OPS-1")
    run("--outputs", "other.json", "issues", "get", "OPS-1")

    assert found == [("ready.json", None), (None, "prod"), ("other.json", None)]


@pytest.mark.parametrize(
    ("package", "program"),
    [
        ("click", "from handlers.cli.__main__ import cli; cli(['issues', 'get', 'OPS-1'])"),
        ("botocore", "from handlers.cli.__main__ import cli; cli(['issues', 'get', 'OPS-1'])"),
        ("click", "import stack.local.__main__"),
    ],
)
def test_outside_of_the_environment_it_says_what_to_run(package: str, program: str) -> None:
    program = f"import sys; sys.modules[{package!r}] = None\n{program}"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: the packages of Switchboard are not installed here: run make setup")
    assert len(done.stderr.splitlines()) == 1


def test_ctrl_c_while_packages_are_imported_prints_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import handlers.cli.__main__"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (1, "", "Error: interrupted.\n")


@pytest.mark.parametrize("day", ["1970-01-01", "9999-12-29"])
def test_the_first_and_the_last_day_begin_and_end(day: str) -> None:
    read = Day().convert(day, None, None)

    assert start_of(read) < start_of(read + timedelta(days=1))


@pytest.mark.parametrize(
    ("redirection", "arguments", "printed", "code"),
    [
        ("2>&-", "costs --events 5", ("total  ", ""), 0),
        (">&-", "costs --events 5", ("", "Error: standard output is closed.\n"), 1),
        (">&- 2>&-", "costs --events 5", ("", ""), 1),
        ("<&-", "--outputs - names", ("", "Error: can't read the outputs from standard input: it is empty; "), 1),
    ],
)
def test_a_closed_stream_costs_only_what_is_read_or_written_there(
    redirection: str, arguments: str, printed: tuple[str, str], code: int
) -> None:
    command = f'exec "$0" -m handlers.cli {arguments} {redirection}'
    done = subprocess.run(["/bin/sh", "-c", command, sys.executable], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == code
    for text, expected in zip((done.stdout, done.stderr), printed, strict=True):
        assert expected in text if expected else not text


def test_a_draft_by_the_template_is_accepted_and_has_every_field(run: Run) -> None:
    result = run("drafts", "submit", "--template")

    template = json.loads(result.stdout)
    assert result.exit_code == 0
    assert set(template) == {field.name for field in dataclasses.fields(Draft)}
    assert read_draft(template).project == "OPS"


def test_without_credentials_a_draft_has_the_sentence_of_every_command(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = mock.Mock(get_credentials=mock.Mock(return_value=None))
    monkeypatch.setattr("botocore.session.get_session", lambda: session)
    outputs, file = tmp_path / "outputs.json", tmp_path / "draft.json"
    outputs.write_text(json.dumps({"http_api_url": "https://api.example.com"}))
    file.write_text(json.dumps(DRAFT_TEMPLATE))

    result = run("--outputs", str(outputs), "drafts", "submit", str(file))

    assert (result.exit_code, result.stderr) == (1, f"Error: {aws.NO_CREDENTIALS}\n")


def test_a_draft_whose_answer_is_lost_may_be_submitted_again(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-west-2")
    outputs, file = tmp_path / "outputs.json", tmp_path / "draft.json"
    file.write_text(json.dumps(DRAFT_TEMPLATE))
    with resetting() as url:
        outputs.write_text(json.dumps({"http_api_url": url}))
        result = run("--outputs", str(outputs), "drafts", "submit", str(file))

    assert result.exit_code == 1
    assert result.stderr.endswith("; it is safe to submit the draft again\n")


@pytest.mark.parametrize(
    ("name", "command"),
    [("functions", "trace chat-7"), ("functions", "names"), ("dead_letter_queues", "redrive"), ("dead_letter_queues", "names")],
)
def test_an_output_of_another_form_is_named(run: Run, tmp_path: Path, name: str, command: str) -> None:
    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps({"functions": {"health": "h"}, "dead_letter_queues": {"imports": ["q"]}, name: ["x"]}))

    result = run("--outputs", str(outputs), *command.split())

    assert result.exit_code == 1
    assert f"{name} in {outputs} does not have the form of the stack's output" in " ".join(result.output.split())


def test_all_errors_of_a_draft_are_reported_at_once(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "draft.json"
    file.write_text(json.dumps({"session_id": "s", "title": "", "project": "ops", "risks": "none", "problem": "p"}))

    result = run("drafts", "submit", str(file))

    assert result.exit_code == 1
    assert result.stderr == (
        "Error: the draft lacks requested_by; title must not be empty; risks is not a list; "
        "project must be a project key like PROJ, not 'ops'\n"
    )


def test_a_draft_may_begin_with_a_byte_order_mark(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "draft.json"
    file.write_text("{}", encoding="utf-8-sig")

    assert "the draft lacks " in run("drafts", "submit", str(file)).stderr


def test_a_draft_that_is_not_json_is_refused_with_the_place(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "draft.json"
    file.write_text('{\n  "title": }')

    assert run("drafts", "submit", str(file)).stderr == f"Error: {file} is not JSON: line 2, column 12\n"


@pytest.mark.parametrize("options", [(), ("--template", __file__)])
def test_submit_takes_a_file_or_prints_one(run: Run, options: tuple[str, ...]) -> None:
    result = run("drafts", "submit", *options)

    assert (result.exit_code, result.stderr) == (2, "Error: Pass either FILE.json or --template.\n")


@pytest.mark.parametrize(
    ("workload", "options", "sentence"),
    [
        ("{}", (), "the workload has no events_per_day"),
        ('{"events": 1}', (), "the workload has unknown names: events"),
        ("{}", ("--events", "5"), "Pass exactly one of a workload file, --events and --document."),
    ],
)
def test_a_workload_that_can_not_be_used_is_refused(
    run: Run, tmp_path: Path, workload: str, options: tuple[str, ...], sentence: str
) -> None:
    file = tmp_path / "workload.json"
    file.write_text(workload)

    assert run("costs", str(file), *options).stderr == f"Error: {sentence}\n"


def test_a_draft_that_is_not_text_is_refused(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "draft.json"
    file.write_bytes(b"\xff\xfe")

    result = run("drafts", "submit", str(file))

    assert (result.exit_code, result.stderr) == (1, f"Error: {file} is not JSON\n")


def test_without_arguments_it_prints_its_help(run: Run) -> None:
    result = run()

    assert result.exit_code == 2
    assert all(name in result.stderr for name in _COMMANDS)


def test_the_list_of_commands_repeats_each_commands_summary(run: Run) -> None:
    context = click.Context(cli)
    for name, (_, summary) in _COMMANDS.items():
        command = cli.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert (command.help or "").split("\n\n")[0] == summary
        assert run(name, "--help").exit_code == 0


def test_help_does_not_wait_for_the_aws_sdk() -> None:
    program = (
        "import sys, handlers.cli.__main__ as c\n"
        "try: c.cli(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "print([name for name in ('botocore', 'rich', 'lib.platform.aws', 'aws_lambda_powertools') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_closed_pipe_prints_no_stack_trace() -> None:
    program = "import handlers.cli.__main__ as c; input(); c.cli(['--help'])"
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stdin.write(b"the reader has left\n")
    process.stdin.close()

    printed = process.stderr.read()

    assert process.wait(timeout=30) == 1
    assert printed == b""
