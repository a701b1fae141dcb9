"""Who may decide on what, as the stack is configured."""

from dataclasses import dataclass


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
