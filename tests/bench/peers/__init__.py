"""What somebody else would build: the webhook and the notification, small and with other libraries.

Each is a module of its own, written as its library's documentation writes it, and does the same job: check the signature
over the raw body, store the version and HEAD each under its condition, leave a message on the queue; read the lease, claim
the event, publish. What is no library's business is in ``work.py``, the same for all.
"""
