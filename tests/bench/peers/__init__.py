"""What somebody else would build with other libraries, each module written as its library's documentation writes it.

The webhook and the notification are built whole: check the signature over the raw body, store the version and HEAD each under
its condition, leave a message on the queue; read the lease, claim the event, publish. What does not depend on the library is in
``work.py``, the same for all. Of the other functions there is ``least_*.py``: what starts with the library, makes the AWS
calls that Switchboard's own function makes, and decides nothing. A peer that did the job would take longer.
"""
