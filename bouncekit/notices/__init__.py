"""Parts -> what kind of notice a message is and what it reports. Each reader returns None for what is not its own."""

from __future__ import annotations

import attrs

from bouncekit.message import Message, Part
from bouncekit.model import Kind
from bouncekit.notices import autoreply, disposition, feedback, freetext, rfc3464
from bouncekit.notices.notice import Notice, Recipient

__all__ = ["Notice", "Recipient", "read"]

_READERS = (feedback.read, disposition.read, rfc3464.read, freetext.read, autoreply.read)
"""Most specific first."""
MAX_ENCLOSED = 3
"""How many messages inside one another are searched for a notice."""


def read(message: Message) -> Notice:
    """Read a notice; what nobody understands is not_a_bounce."""
    for reader in _READERS:
        notice = reader(message)
        if notice is not None:
            return notice
    return _forwarded(message.root, 1) or Notice(kind=Kind.NOT_A_BOUNCE)


def _forwarded(root: Part, depth: int) -> Notice | None:
    """A notice that somebody passed on whole, as an attached message."""
    for part in root.walk():
        if part.content_type != "message/rfc822" or not part.parts:
            continue
        enclosed = Message(part.parts[0], "")
        for reader in (feedback.read, rfc3464.read, freetext.read):
            notice = reader(enclosed)
            if notice is not None:
                return attrs.evolve(notice, notes=(*notice.notes, "the notice was enclosed in another message"))
        if depth < MAX_ENCLOSED and (notice := _forwarded(part.parts[0], depth + 1)):
            return notice
    return None
