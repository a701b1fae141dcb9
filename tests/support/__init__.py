"""Builders, fakes and services that tests share, in a package per area; ``cloud`` starts and uses a local cloud."""
