"""The tags of every resource: ``Project`` and ``Stack``, and those of the config key ``tags``."""

from collections.abc import Mapping

import pulumi


def apply(tags: Mapping[str, str], *, project: str, stack: str) -> None:
    """Tag every taggable resource that the stack declares after this call. ``tags`` may replace the two defaults."""
    everything = {"Project": project, "Stack": stack, **tags}

    def tagged(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if not is_taggable(type(args.resource)):
            return None
        return pulumi.ResourceTransformationResult({**args.props, "tags": everything}, args.opts)

    pulumi.runtime.register_stack_transformation(tagged)


def is_taggable(kind: type[pulumi.Resource]) -> bool:
    """Whether resources of a class of the AWS provider's SDK have tags."""
    return hasattr(kind, "tags")
