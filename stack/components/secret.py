"""The configured secrets, in Secrets Manager. A function gets the ARN and reads the value itself, so that no value is in an
environment variable.
"""

import pulumi
import pulumi_aws as aws

from stack.components.component import Component

RECOVERY_DAYS = 30
"""How long a deleted secret of a protected stack can be restored."""


class Secret(Component):
    """A secret and its current value. ``arn`` is known once the value can be read."""

    def __init__(self, name: str, value: pulumi.Output[str], *, protect: bool) -> None:
        """Create the secret; without ``protect`` it is deleted at once with its stack."""
        super().__init__(name)
        secret = aws.secretsmanager.Secret(name, recovery_window_in_days=RECOVERY_DAYS if protect else 0, opts=self.child())
        # A new value is a new version, and Secrets Manager keeps the previous one as AWSPREVIOUS, which verifies senders that
        # still use it. Deleting the old version here could remove that label.
        version = aws.secretsmanager.SecretVersion(
            name, secret_id=secret.id, secret_string=value, opts=self.child(retain_on_delete=True)
        )
        # Not version.id: a preview that replaces the version does not know it, and would show each function as changed.
        self.arn = pulumi.Output.all(secret.arn, version.urn).apply(lambda known: str(known[0]))
        self.register_outputs({"arn": self.arn})
