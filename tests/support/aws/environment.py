"""The environment variables that point the AWS SDK at a server on this machine."""

import os
from collections.abc import Mapping

import pytest

REGION = "us-west-2"


def point_at(monkeypatch: pytest.MonkeyPatch, endpoint_url: str, **variables: str) -> None:
    """Point every AWS client made from now on at ``endpoint_url``, and set ``variables``."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    set_all(
        monkeypatch,
        {
            "AWS_ENDPOINT_URL": endpoint_url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
            **variables,
        },
    )


def set_all(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    """Set the environment variables."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
