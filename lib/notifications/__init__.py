"""What people are told, and the channels that tell them.

``message`` says what, ``channels`` and one module a channel say it, ``delivery`` sees that each channel says it once.
"""
