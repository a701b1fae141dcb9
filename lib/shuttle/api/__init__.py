"""Shuttle's HTTP API: the routes below ``/shuttle``, nearly all below ``/shuttle/shops/<domain>``, a module for each topic.

Who may call for which shop is decided by IAM on the path (docs/security.md, "Shuttle"). Each request then works through a
client that reaches no other shop's rows than that of its path. The modules import Flask, so only the function that serves the
routes imports them.
"""
