"""Notifications of lease events, and the channels that carry them.

``message`` composes what to say, each module in ``channels`` sends it, ``delivery`` makes each channel send it once, and
``service`` puts them together.
"""
