"""The commands of ``python -m handlers.cli``, one module each. A module is imported when its command runs."""
