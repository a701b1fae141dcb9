"""Shuttle's HTTP API: the routes below ``/shuttle``, most of them below ``/shuttle/shops/<domain>``, one module per topic.

IAM decides by the path who may call for which shop (docs/security.md, "Shuttle"). Each request uses a client that can reach
only the rows of the shop in its path. The modules import Flask, so only the function that serves the routes imports them.
"""
