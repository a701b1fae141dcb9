"""The configured secrets, in Secrets Manager. Functions get the ARN of a secret and read the value themselves, so that no
value stands in an environment variable.
"""

import pulumi
import pulumi_aws as aws

from stack.settings import Settings

RECOVERY_DAYS = 30
"""For how long a deleted secret of a protected stack can be brought back."""


def create(settings: Settings, *, protect: bool) -> dict[str, pulumi.Output[str]]:
    """Keep every secret that is configured.

    Returns:
        The ARN of each by its field in ``settings``, known once the value is there to be read.
    """
    return {name: _create(name.replace("_", "-"), value, protect=protect) for name, value in settings.secrets().items()}


def _create(name: str, value: pulumi.Output[str], *, protect: bool) -> pulumi.Output[str]:
    secret = aws.secretsmanager.Secret(name, recovery_window_in_days=RECOVERY_DAYS if protect else 0)
    version = aws.secretsmanager.SecretVersion(
        name,
        secret_id=secret.id,
        secret_string=value,
        # A new value is a new version, and Secrets Manager keeps the one before as AWSPREVIOUS, by which senders that still
        # use it are verified. Deleting the old version here could take that label off.
        opts=pulumi.ResourceOptions(retain_on_delete=True),
    )
    # Not version.id: that is unknown while a preview replaces the version, and each function would be shown as changed.
    return pulumi.Output.all(secret.arn, version.urn).apply(lambda known: str(known[0]))
