"""Creates in moto each type of resource that the program declares: one function per type, found by Pulumi's type token.

``inputs`` are in camelCase, as Pulumi's provider gets them. A creator returns the resource's id and the outputs that the
provider would compute; the program sees any other output as None.
"""

from stack.local.resources import compute, data, edge, identity, messaging, operations
from stack.local.resources.registry import Blueprint, Created, creator_of

__all__ = ["Blueprint", "Created", "compute", "creator_of", "data", "edge", "identity", "messaging", "operations"]
