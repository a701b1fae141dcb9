"""Secrets: one in Secrets Manager for each that is configured, opened to nobody on the way."""

import pulumi
import pytest

from stack.components.secret import Secret
from stack.settings import secret_keys
from tests.support.project.pulumi_graph import EVERYTHING, declare, record

SECRET, VERSION = "aws:secretsmanager/secret:Secret", "aws:secretsmanager/secretVersion:SecretVersion"


def test_no_secret_is_created_without_a_value() -> None:
    assert not declare().all(SECRET)


def test_an_empty_secret_counts_as_not_set() -> None:
    assert not declare({}, {"eventWebhookSecret": ""}).all(SECRET)


def test_every_configured_secret_is_kept_and_no_other() -> None:
    graph = declare({}, {key: f"value of {key}" for key in secret_keys()})

    assert {version.inputs["secretString"] for version in graph.all(VERSION)} == {f"value of {key}" for key in secret_keys()}
    assert len(graph.all(SECRET)) == len(secret_keys())


def test_a_value_stays_a_secret_in_the_hands_of_pulumi() -> None:
    for version in declare(*EVERYTHING).all(VERSION):
        assert version.secret_inputs == {"secretString"}


def test_no_output_shows_a_secret() -> None:
    assert "hush" not in str(declare(*EVERYTHING).outputs)


def test_a_rotated_secret_keeps_its_previous_version() -> None:
    graph = declare(*EVERYTHING)

    assert graph.options[VERSION, "event-webhook-secret"].retain_on_delete is True


def test_a_rotation_previews_no_change_to_functions_reading_the_secret() -> None:
    """They know its ARN, which stays. A preview does not know the id of the new version."""

    def program() -> dict[str, pulumi.Output[str]]:
        return {"arn": Secret("event-webhook-secret", pulumi.Output.secret("the new value"), protect=True).arn}

    graph = record(program, replaced=VERSION)

    assert graph.outputs == {"arn": graph.arn(SECRET, "event-webhook-secret")}


@pytest.mark.parametrize(("stack", "days"), [("prod", 30), ("local", 0)])
def test_a_deleted_secret_can_be_brought_back_in_a_protected_stack(stack: str, days: int) -> None:
    for secret in declare(*EVERYTHING, stack).all(SECRET):
        assert secret.inputs["recoveryWindowInDays"] == days
