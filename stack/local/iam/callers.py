"""The role of an access key and its current policies, from moto's STS and IAM.

A policy that is changed through the IAM API applies from the next request on, as on AWS. Keys of users and unknown keys
belong to an operator and are not restricted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from stack.local.iam.conditions import PolicyError
from stack.local.iam.policy import Statement, read_role_policy

_PARTITION = "aws"


@dataclass(frozen=True, slots=True)
class Caller:
    """A session of a role.

    Attributes:
        arn: ``arn:aws:sts::<account>:assumed-role/<role>/<session>``.
        role: the role's name.
        session_policy: JSON text that narrows the role for this session; empty if there is none.
    """

    arn: str
    role: str
    session_policy: str


class Callers:
    """The callers of one account, as moto knows them."""

    def __init__(self, account_id: str) -> None:
        self._account_id = account_id
        self._known: dict[str, Caller] = {}

    def find(self, access_key_id: str) -> Caller | None:
        """The role session of a key; None if the key is not a role's."""
        caller = self._known.get(access_key_id)
        if caller is None:
            session = sts_backends[self._account_id][_PARTITION].get_assumed_role_from_access_key(access_key_id)
            if session is None:
                return None
            caller = Caller(session.arn, session.role_arn.rpartition("/")[2], session.policy or "")
            self._known[access_key_id] = caller  # a session never changes
        return caller

    def statements_of(self, caller: Caller) -> tuple[Statement, ...]:
        """The current policies of the caller's role.

        Raises:
            PolicyError: they can't be evaluated here.
        """
        if caller.session_policy:
            raise PolicyError("session policies are not supported here")
        return _statements_of(self._roles().get_role(caller.role))

    def every_role(self) -> Iterator[tuple[str, tuple[Statement, ...]]]:
        """Each role's name and statements. Raises as :meth:`statements_of` does."""
        for role in self._roles().get_roles():
            yield role.name, _statements_of(role)

    def _roles(self) -> Any:
        return iam_backends[self._account_id][_PARTITION]


def _statements_of(role: Any) -> tuple[Statement, ...]:
    if role.permissions_boundary:
        raise PolicyError("permissions boundaries are not supported here")
    return tuple(statement for document in _documents(role) for statement in read_role_policy(document))


def _documents(role: Any) -> list[str]:
    attached = (
        version.document for policy in role.managed_policies.values() for version in policy.versions if version.is_default
    )
    return [*role.policies.values(), *attached]
