"""The operator's web console, served on loopback by ``python -m handlers.cli console`` (docs/console.md).

It shows what the command line shows, by the same readers (lib/operations), with the operator's own AWS credentials.
``application`` makes the Flask application, ``security`` decides which requests are answered, ``views`` has one blueprint per
page, ``confirmation`` asks before every change and logs it.
"""
