"""Work that meets: in threads that start together (``at_once``), call by call in a chosen order (``interleaving``), or
effect by effect with crashes (``stage``).
"""
