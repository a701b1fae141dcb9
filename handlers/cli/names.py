"""``names``: the name of every resource as shell exports, with which the runbooks begin."""

import shlex

import click

from handlers.cli.options import Find
from lib.operations.resource_names import resource_names


@click.command()
@click.pass_obj
def names(find: Find) -> int:
    """Print the name of every resource as shell exports.

    eval "$(python -m handlers.cli names)" sets them in your shell; the commands of the runbooks use them. EP is the AWS CLI's
    option for the local cloud, and empty on AWS. It prints no secret.
    """
    deployment = find()
    for name, value in resource_names(deployment).items():
        click.echo(f"export {name}={shlex.quote(value)}")
    return 0
