"""Secrets Manager as lib/platform/secrets.py sees it, with a secret that can be rotated and a service that can be down."""

from botocore.exceptions import ClientError


def no_such_stage() -> ClientError:
    """The answer for a stage that the secret does not have."""
    return ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetSecretValue")


class SecretsManager:
    """A client of Secrets Manager with one secret."""

    def __init__(self, *values: str) -> None:
        """Set the secret to each of ``values`` in turn, the last being current."""
        self.stages: dict[str, str] = {}
        self.error: Exception | None = None
        self.stages_read: list[str] = []
        for value in values:
            self.rotate(value)

    @property
    def reads(self) -> int:
        """How often the current value was read."""
        return self.stages_read.count("AWSCURRENT")

    def rotate(self, value: str) -> None:
        """Put a new value."""
        if "AWSCURRENT" in self.stages:
            self.stages["AWSPREVIOUS"] = self.stages["AWSCURRENT"]
        self.stages["AWSCURRENT"] = value

    def get_secret_value(self, *, SecretId: str, VersionStage: str) -> dict[str, str]:  # noqa: N803 - AWS's names
        """Answer as the service does."""
        self.stages_read.append(VersionStage)
        if self.error is not None:
            raise self.error
        if VersionStage not in self.stages:
            raise no_such_stage()
        return {"ARN": SecretId, "SecretString": self.stages[VersionStage]}
