"""Creates in moto each kind of resource that the program declares: one function a kind, found by Pulumi's type token.

``inputs`` are the program's, in camelCase as Pulumi's provider gets them. A creator returns the resource's id and the
outputs that the provider would compute; what it does not return, the program sees as None.
"""

from stack.local.resources import compute, data, edge, identity, messaging, operations
from stack.local.resources.registry import Blueprint, Created, creator_of

__all__ = ["Blueprint", "Created", "compute", "creator_of", "data", "edge", "identity", "messaging", "operations"]
