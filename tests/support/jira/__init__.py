"""Jira for tests: webhook bodies, a model of Jira, issues that move, and the functions over moto and the Jira stand-in."""
