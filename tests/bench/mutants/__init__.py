"""Mutation tests of the core modules: ``make mutants``."""
