"""The workflows that deploy: what they may do, in which order, and that nothing runs for a fork."""

import re
import shlex
from typing import Any

import pytest
from click.testing import CliRunner

from handlers.cli.__main__ import cli
from tests.support.project.documentation import ROOT, read_yaml

WORKFLOWS = ROOT / ".github" / "workflows"
NAMES = ("deploy.yaml", "deploy-stack.yaml")
DEPLOY: dict[str, Any] = read_yaml(WORKFLOWS / "deploy.yaml")
JOBS: dict[str, Any] = DEPLOY["jobs"]
STEPS: list[dict[str, Any]] = read_yaml(WORKFLOWS / "deploy-stack.yaml")["jobs"]["deploy"]["steps"]


def text(name: str) -> str:
    return (WORKFLOWS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_every_action_is_pinned_to_a_commit_with_its_version(name: str) -> None:
    used = [line for line in re.findall(r"uses: (.*)", text(name)) if not line.startswith("./")]

    assert used
    assert [line for line in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_stores_no_aws_key_and_its_jobs_get_only_what_they_need(name: str) -> None:
    workflow = read_yaml(WORKFLOWS / name)

    assert workflow["permissions"] == {}
    for job, of in workflow["jobs"].items():
        expected = {"contents": "read", "id-token": "write"}
        assert of["permissions"] == expected | ({"pull-requests": "write"} if job == "preview" else {})
    assert set(re.findall(r"secrets\.(\w+)", text(name))) <= {"PULUMI_ACCESS_TOKEN", "PULUMI_CONFIG_PASSPHRASE"}


def test_nothing_runs_before_it_is_turned_on_nor_for_a_fork() -> None:
    conditions = {name: " ".join(job.get("if", "").split()) for name, job in JOBS.items()}

    assert conditions["preview"] == (
        "vars.DEPLOY == 'true' && github.event_name == 'pull_request' "
        "&& github.event.pull_request.head.repo.full_name == github.repository"
    )
    assert conditions["dev"] == "vars.DEPLOY == 'true' && github.event_name == 'push'"
    assert "pull_request_target" not in text("deploy.yaml")


def test_production_is_deployed_only_after_dev_and_its_checks() -> None:
    assert JOBS["production"]["needs"] == "dev"
    assert "if" not in JOBS["production"]  # a condition could replace "only if dev succeeded"
    assert {JOBS[name]["uses"] for name in ("dev", "production")} == {"./.github/workflows/deploy-stack.yaml"}
    assert {name: JOBS[name]["with"] for name in ("dev", "production")} == {
        "dev": {"environment": "dev", "stack": "dev"},
        "production": {"environment": "production", "stack": "prod"},
    }


def test_a_deployment_is_checked_and_a_failed_check_fails_the_job() -> None:
    up = next(number for number, step in enumerate(STEPS) if step.get("with", {}).get("command") == "up")
    check = next(number for number, step in enumerate(STEPS) if "check-deployment" in step.get("run", ""))

    assert up < check
    assert not [step for step in STEPS if step.get("continue-on-error")]
    assert all(step["if"].startswith("failure()") for step in STEPS if "if" in step)


def test_a_failed_check_rolls_back_to_what_was_live_before_the_deployment() -> None:
    """Not to the deployment before the live one: a run that publishes nothing must not move anything."""
    names = [step.get("name", step.get("with", {}).get("command")) for step in STEPS]
    back = STEPS[names.index("Roll back to what was live")]

    order = [names.index(name) for name in ("Note what is live", "up", "Roll back to what was live")]
    assert order == sorted(order)
    assert "steps.check.outcome == 'failure'" in back["if"]
    assert back["env"]["REVISION"] == "${{ steps.before.outputs.revision }}"
    assert '--to "$REVISION" --yes' in back["run"]


def test_the_commands_of_the_workflow_are_those_of_the_command_line() -> None:
    runs = "\n".join(step["run"] for step in STEPS if "run" in step)
    commands = re.findall(r'(?:--stack "\$STACK"|cli\[@\]}") ([a-z][^|)\n]*)', runs)

    assert len(commands) == 4
    for command in commands:
        words = [word for word in shlex.split(command) if not word.startswith(("--", "$"))]
        assert CliRunner().invoke(cli, [*words, "--help"]).exit_code == 0, command


def test_the_check_of_the_workflow_can_be_run() -> None:
    script = ROOT / ".ci" / "check-deployment"

    assert script.stat().st_mode & 0o111


@pytest.mark.parametrize("name", NAMES)
def test_no_expression_is_pasted_into_a_shell(name: str) -> None:
    runs = [
        step["run"] for job in read_yaml(WORKFLOWS / name)["jobs"].values() for step in job.get("steps", ()) if "run" in step
    ]

    assert [run for run in runs if "${{" in run] == []
