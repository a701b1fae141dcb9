"""The base of every component: a node in the tree that ``pulumi preview`` shows, with its resources below it."""

from collections.abc import Sequence

import pulumi


class Component(pulumi.ComponentResource):
    """A unit of the stack: one or more AWS resources that have it as their parent."""

    def __init__(self, name: str, parent: pulumi.Resource | None = None) -> None:
        """Register the component; ``name`` is also the logical name of its main resource."""
        super().__init__(f"switchboard:components:{type(self).__name__}", name, None, pulumi.ResourceOptions(parent=parent))
        self.logical_name = name

    def child(
        self, *, depends_on: Sequence[pulumi.Resource] = (), retain_on_delete: bool | None = None
    ) -> pulumi.ResourceOptions:
        """The options of a resource of this component."""
        return pulumi.ResourceOptions(parent=self, depends_on=list(depends_on), retain_on_delete=retain_on_delete)
