"""Who may decide on what, as the stack is configured."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lib.platform.environment.approvals import ApprovalsEnvironment
    from lib.platform.environment.jira_worker import JiraWorkerEnvironment


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Who may decide on what.

    Attributes:
        approvers: the Slack user IDs that may approve and reject; empty for everybody who can see the preview.
        require_other_approver: nobody may approve their own draft.
        projects: the projects that issues may be created in; empty for all.
    """

    approvers: frozenset[str] = frozenset()
    require_other_approver: bool = True
    projects: frozenset[str] = frozenset()

    @classmethod
    def of(cls, environment: "ApprovalsEnvironment | JiraWorkerEnvironment") -> "Rules":
        """The rules of a function with this environment."""
        return cls(
            approvers=frozenset(environment.approvers),
            require_other_approver=environment.require_other_approver,
            projects=frozenset(environment.jira_projects),
        )

    def approvers_of(self, requested_by: str) -> list[str]:
        """The approvers who may approve a draft of ``requested_by``, in order; only if the rules name approvers."""
        return sorted(self.approvers - ({requested_by} if self.require_other_approver else set()))
