"""Stand-ins of the services that Switchboard talks to: the real API's paths, answers, errors and limits, with state.

Each is a WSGI application (:class:`stack.local.standins.base.StandIn`) that a test can use in-process or serve over HTTP.
Under ``/_standin/`` each has a control surface: what arrived, faults to inject, and a reset. They hold everything in
memory and are no model of what the real service does with a message once it has taken it.
"""
