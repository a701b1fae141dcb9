"""A simulation of bulk changes and busy days under the throttling rules of AWS; docs/scale.md explains it."""
