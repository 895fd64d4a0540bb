"""Parts -> what kind of notice a message is and what it reports. Each reader returns None for what is not its own."""

from __future__ import annotations

from bouncekit.message import Message
from bouncekit.model import Kind
from bouncekit.notices import rfc3464
from bouncekit.notices.notice import Notice, Recipient

__all__ = ["Notice", "Recipient", "read"]

_READERS = (rfc3464.read,)
"""Most specific first."""


def read(message: Message) -> Notice:
    """Read a notice; what nobody understands is not_a_bounce."""
    for reader in _READERS:
        notice = reader(message)
        if notice is not None:
            return notice
    return Notice(kind=Kind.NOT_A_BOUNCE)
