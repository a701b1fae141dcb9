"""A console in this process, for tests of its pages."""
