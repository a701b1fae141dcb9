"""Stand-ins for the services that Switchboard calls: the real API's paths, answers, errors and limits, with state in memory.

Each is a WSGI application (:class:`stack.local.standins.base.StandIn`), used in-process or served over HTTP. Its controls
under ``/_standin/`` show what arrived, inject faults and reset it: docs/reference/local-cloud.md.
"""
