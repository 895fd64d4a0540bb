"""Message disposition notifications (RFC 8098): read receipts, and Sieve's refusals in their form (RFC 5429)."""

from __future__ import annotations

import re

from bouncekit.message import Message
from bouncekit.model import Kind
from bouncekit.notices import original
from bouncekit.notices.fields import Group, address_field, groups_of, host_field
from bouncekit.notices.notice import Notice, Recipient
from bouncekit.notices.text import words_of

__all__ = ["read"]

_TYPES = ("message/disposition-notification", "message/global-disposition-notification")
_REFUSED = re.compile(r"automatically rejected|was rejected|refused by|has been rejected", re.IGNORECASE)


def read(message: Message) -> Notice | None:
    """Read a disposition notification; None where the message is none."""
    root = message.root
    part = next((part for part in root.walk() if part.content_type in _TYPES), None)
    if part is None:
        return None
    text = part.text() if part.body else "\n".join(f"{k}: {v}" for child in part.parts for k, v in child.headers)
    fields: Group = {}
    for group in groups_of(text):
        fields = group | fields
    words = words_of(root).text
    automatic = "automatic" in fields.get("disposition", "").lower()
    refused = "deleted" in fields.get("disposition", "").lower() and automatic and _REFUSED.search(words)
    final = address_field(fields["final-recipient"]) if "final-recipient" in fields else None
    first = address_field(fields["original-recipient"]) if "original-recipient" in fields else None
    return Notice(
        kind=Kind.FAILURE if refused else Kind.DISPOSITION,
        format="sieve" if refused else "mdn",
        recipients=(
            Recipient(final, first, action="failed", diagnostic_code=words.strip()[:2000], status=None),
        )
        if refused
        else (),
        reporting_mta=host_field(fields["reporting-ua"]) if "reporting-ua" in fields else None,
        original=original.of_message(root),
    )
