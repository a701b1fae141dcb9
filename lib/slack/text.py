"""Text that is safe to send to Slack: it can neither mention anybody nor disguise a link.

Source: https://docs.slack.dev/messaging/formatting-message-text#escaping
"""


def escape(text: str) -> str:
    """``text`` without Slack's control characters. Everything that Slack reads as a link or a mention begins with ``<``.

    Formatting marks such as ``*bold*`` remain: they change only how the text looks.
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def clip(text: str, most: int) -> str:
    """``text`` escaped and cut to ``most`` characters, never in the middle of an escape."""
    text = text.strip()
    escaped = escape(text)
    if len(escaped) <= most:
        return escaped
    pieces: list[str] = []
    length = 1  # the ellipsis
    for character in text:
        piece = escape(character)
        length += len(piece)
        if length > most:
            break
        pieces.append(piece)
    return "".join(pieces).rstrip() + "…"
