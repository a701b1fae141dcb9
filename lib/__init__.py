"""What Switchboard knows: pure decisions at the core, effects at the edge.

Nothing here imports ``handlers`` or ``stack``.
"""
