"""Notifications of lease events, and the channels that carry them.

``message`` composes the text, each module in ``channels`` sends it, ``delivery`` makes each channel send it once, and
``service`` puts them together.
"""
