"""The registry of creators, and the blueprint in which they collect what the local cloud must run."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from stack.local.http_gateway import HttpApi
from stack.local.invocations import AsyncConfig
from stack.local.queues import EventSource

Inputs = dict[str, Any]
Created = tuple[str, dict[str, Any]]


def random_suffix(_: str) -> str:
    """Seven random hex digits."""
    return secrets.token_hex(4)[:7]


def stable_suffix(logical: str) -> str:
    """Seven hex digits that depend on the name only."""
    return hashlib.sha256(logical.encode()).hexdigest()[:7]


@dataclass(slots=True)
class Blueprint:
    """The declared resources that moto does not run: the functions, and what invokes them.

    Attributes:
        client: returns the client of an AWS service.
        region: the AWS region.
        account_id: the AWS account.
        http_url: the URL of the HTTP API.
        suffix_of: returns the suffix of a physical name, from the logical name.
        functions: the names of the functions.
    """

    client: Callable[[str], Any]
    region: str
    account_id: str
    http_url: str
    suffix_of: Callable[[str], str] = random_suffix
    functions: list[str] = field(default_factory=list)
    async_configs: dict[str, AsyncConfig] = field(default_factory=dict)
    event_sources: list[EventSource] = field(default_factory=list)
    integrations: dict[str, str] = field(default_factory=dict)
    """Function ARN by integration id."""
    http_api: HttpApi = field(default_factory=HttpApi)
    resource_policies: list[tuple[str, str]] = field(default_factory=list)
    """The ARN of a resource, and a policy that allows AWS services to use it."""

    def arn(self, service: str, resource: str) -> str:
        """An ARN in this account."""
        return f"arn:aws:{service}:{self.region}:{self.account_id}:{resource}"


Creator = Callable[[Blueprint, str, Inputs], Created]
_creators: dict[str, Creator] = {}


def creates(token: str) -> Callable[[Creator], Creator]:
    """Register the creator of a type of resource."""

    def register(creator: Creator) -> Creator:
        _creators[token] = creator
        return creator

    return register


def creator_of(token: str) -> Creator:
    """The creator of a type of resource.

    Raises:
        NotImplementedError: the local cloud does not support the type.
    """
    try:
        return _creators[token]
    except KeyError:
        raise NotImplementedError(f"the local cloud can't create a {token} yet: add it to stack/local/resources") from None


def pascal(value: Any) -> Any:
    """Inputs with the names of boto3: ``maxAgeSeconds`` -> ``MaxAgeSeconds``, in every object."""
    if isinstance(value, dict):
        return {key[0].upper() + key[1:]: pascal(item) for key, item in value.items()}
    return [pascal(item) for item in value] if isinstance(value, list) else value


def physical_name(cloud: Blueprint, logical: str, inputs: Inputs, key: str = "name") -> str:
    """The name that the program gives, or the logical name and seven hex digits, as Pulumi makes it."""
    given = inputs.get(key)
    return str(given) if given else f"{logical}-{cloud.suffix_of(logical)}"
