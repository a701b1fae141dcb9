"""Pulumi.yaml and the stack files say what the program says, by the CLI's own rules.

The rules are those of the CLI's ``sdk/go/common/workspace`` (``project.json``, ``project.go``, ``config.go``).
"""

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws
import pytest
import yaml

from stack.config_values import SettingsError
from stack.settings import Settings, key_of, secret_keys
from tests.support.project import configuration_page

ROOT = Path(__file__).resolve().parents[2]
PINNED_IN = {
    "handlers/requirements.txt": ["lambda"],
    "requirements.txt": ["imports", "deploy", "cli", "local"],
    "tests/requirements.txt": ["test", "check"],
    "tests/bench/requirements.txt": ["bench"],
}
PROJECT = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))
SCHEMA: dict[str, dict[str, Any]] = PROJECT["config"]
DECLARED = [field for field in dataclasses.fields(Settings) if field.name not in {"tags", "notify_routes"}]
"""A project file cannot declare an object."""
NUMBERS = [field for field in DECLARED if field.type is int and field.name != "log_retention_days"]
STACK_FILES = sorted(ROOT.glob("Pulumi.*.yaml"))

TYPES: dict[Any, tuple[str, dict[str, str] | None]] = {
    str: ("string", None),
    int: ("integer", None),
    bool: ("boolean", None),
    bool | None: ("string", None),
    tuple[str, ...]: ("array", {"type": "string"}),
    pulumi.Output[str] | None: ("string", None),
}


def test_the_schema_has_exactly_the_keys_of_settings_in_their_order() -> None:
    assert list(SCHEMA) == [key_of(field.name) for field in DECLARED]


@pytest.mark.parametrize("field", DECLARED, ids=lambda field: field.name)
def test_a_key_has_the_type_of_its_field(field: dataclasses.Field[Any]) -> None:
    declared = SCHEMA[key_of(field.name)]

    assert (declared["type"], declared.get("items")) == TYPES[field.type]


def test_the_defaults_of_the_schema_are_those_of_settings() -> None:
    given = {key: declared["default"] for key, declared in SCHEMA.items() if key not in secret_keys()}

    assert Settings.from_mapping(given, {}) == Settings()


@pytest.mark.parametrize("field", NUMBERS, ids=lambda field: field.name)
def test_the_description_of_a_number_has_its_maximum(field: dataclasses.Field[Any]) -> None:
    key = key_of(field.name)
    with pytest.raises(SettingsError) as refused:
        Settings.from_mapping({key: 10**12}, {})

    assert re.findall(r" to ([0-9,]+), not ", str(refused.value))[0] in SCHEMA[key]["description"]


def test_every_key_has_a_description_and_a_default() -> None:
    """The CLI requires a value for a key without a default."""
    for key, declared in SCHEMA.items():
        assert declared["description"].endswith("."), key
        assert declared["default"] is not None, key


@pytest.mark.parametrize("key", secret_keys())
def test_a_secret_is_empty_by_default_and_not_marked(key: str) -> None:
    """The CLI refuses a default for a key that is marked as secret."""
    assert SCHEMA[key]["default"] == ""
    assert "secret" not in SCHEMA[key]
    assert SCHEMA[key]["description"].startswith("Secret.")


def test_a_declaration_has_no_attribute_that_the_cli_does_not_know() -> None:
    for key, declared in SCHEMA.items():
        assert declared.keys() <= {"type", "items", "description", "default"}, key


def test_the_cli_runs_the_stack_folder_in_the_virtual_env_of_make_setup() -> None:
    assert PROJECT["main"] == "stack"
    assert PROJECT["runtime"] == {"name": "python", "options": {"toolchain": "pip", "virtualenv": ".venv"}}


@pytest.mark.parametrize("file", STACK_FILES, ids=lambda file: file.name)
def test_a_stack_file_holds_settings_that_the_program_accepts(file: Path) -> None:
    config = yaml.safe_load(file.read_text(encoding="utf-8"))["config"]
    own = {key.removeprefix("switchboard:"): value for key, value in config.items() if key.startswith("switchboard:")}
    secrets = {key: own.pop(key) for key in secret_keys() if key in own}

    assert Settings.from_mapping(own, secrets).secrets() == {key_field(key): value for key, value in secrets.items()}
    assert config["aws:region"]


def key_field(key: str) -> str:
    return next(field.name for field in dataclasses.fields(Settings) if key_of(field.name) == key)


def test_only_the_local_stack_file_holds_a_secret() -> None:
    holding = {file.name for file in STACK_FILES for key in secret_keys() if key in file.read_text(encoding="utf-8")}

    assert holding <= {"Pulumi.local.yaml"}


def test_the_local_stack_can_reach_no_endpoint_but_loopback() -> None:
    config = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text(encoding="utf-8"))["config"]
    [endpoints] = config["aws:endpoints"]

    assert endpoints.pop("s3control") == "http://localhost:4566"  # its host gets a name of a part more
    assert set(endpoints.values()) == {"http://127.0.0.1:4566"}
    known = set(pulumi_aws.ProviderEndpointArgs.__init__.__annotations__)
    assert {f"{name}_" if name == "lambda" else name for name in endpoints} <= known


def test_the_how_to_rotate_secrets_names_every_secret() -> None:
    page = (ROOT / "docs" / "how-to" / "rotate-secrets.md").read_text(encoding="utf-8")
    rotation = page.partition("## Rotation")[2].partition("## ")[0]

    assert [key for key in secret_keys() if f"`{key}`" not in rotation] == []


def test_the_configuration_page_shows_every_key_as_pulumi_yaml_declares_it() -> None:
    """`python -m tests.support.project.configuration_page` updates the page."""
    page = configuration_page.PAGE.read_text(encoding="utf-8")

    assert configuration_page.START + configuration_page.table() + configuration_page.END in page


@pytest.mark.parametrize("file", PINNED_IN)
def test_each_group_is_pinned_in_the_file_of_its_purpose(file: str) -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    files = list(PINNED_IN)
    installed = set().union(*map(pins_of, files[: files.index(file) + 1]))

    assert {name_of(line) for group in PINNED_IN[file] for line in groups[group]} <= installed


def test_the_files_for_one_environment_pin_each_package_once() -> None:
    files = [pins_of(file) for file in PINNED_IN if file != "tests/bench/requirements.txt"]

    assert sum(map(len, files)) == len(set().union(*files))


def pins_of(file: str) -> dict[str, str]:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return {name_of(line): line for line in lines if "==" in line}


def name_of(requirement: str) -> str:
    return re.split(r"[\[=<; ]", requirement)[0]
