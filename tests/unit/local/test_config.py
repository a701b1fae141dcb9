"""The local cloud's config: Pulumi.local.yaml, overridden by the command line."""

from pathlib import Path

import pytest

from stack.local.program import ProgramError, read_config

ENCRYPTED = """
encryptionsalt: v1:c2FsdA==:v1:bm9uY2U=
config:
  switchboard:jiraApiToken:
    secure: v1:bm9uY2U=:Y2lwaGVydGV4dA==
  switchboard:historyDays: 30
"""


@pytest.fixture
def stack_file(tmp_path: Path) -> Path:
    return tmp_path / "Pulumi.local.yaml"


def test_an_encrypted_value_is_refused_with_its_key_and_how_to_set_it(stack_file: Path) -> None:
    stack_file.write_text(ENCRYPTED)

    with pytest.raises(ProgramError) as refused:
        read_config({}, stack_file)

    assert str(refused.value) == (
        "switchboard:jiraApiToken in Pulumi.local.yaml is encrypted, and the local cloud cannot decrypt it: "
        "set it with --config jiraApiToken=<value>, or remove it from the file."
    )


@pytest.mark.parametrize("value", ["[{secure: v1:x}]", "{inner: {secure: v1:x}}"])
def test_an_encrypted_part_of_a_value_is_refused_too(stack_file: Path, value: str) -> None:
    stack_file.write_text(f"config:\n  switchboard:approvers: {value}\n")

    with pytest.raises(ProgramError, match=r"^switchboard:approvers in Pulumi\.local\.yaml is encrypted"):
        read_config({}, stack_file)


def test_an_encrypted_value_may_be_overridden_on_the_command_line(stack_file: Path) -> None:
    stack_file.write_text(ENCRYPTED)

    config = read_config({"jiraApiToken": "local-token"}, stack_file)

    assert config == {"switchboard:jiraApiToken": "local-token", "switchboard:historyDays": "30"}
