"""One message -> report: read its parts, read the notice, let the rules speak about each delivery."""

from __future__ import annotations

import email.message
from typing import BinaryIO

from bouncekit import message as mime
from bouncekit import notices
from bouncekit.model import Delivery, Report
from bouncekit.notices import Recipient
from bouncekit.rules import RuleSet

__all__ = ["Source", "read"]

Source = bytes | str | bytearray | memoryview | BinaryIO | email.message.Message
"""What `bouncekit.parse` takes."""


def read(data: Source, rules: RuleSet) -> Report:
    """Read one message; see `bouncekit.parse`."""
    message = mime.read(as_bytes(data))
    notice = notices.read(message)
    return Report(
        kind=notice.kind,
        format=notice.format,
        deliveries=tuple(_delivery(recipient, rules) for recipient in notice.recipients),
        reporting_mta=notice.reporting_mta,
        arrival_date=notice.arrival_date,
        envelope_id=notice.envelope_id,
        original=notice.original,
        feedback=notice.feedback,
        notes=(*message.notes, *notice.notes),
        rules=rules.hash,
    )


def as_bytes(data: Source) -> bytes:
    """The bytes of a message, whatever form it comes in.

    :raises TypeError: for anything that is none.
    """
    if isinstance(data, bytes):
        return data
    if isinstance(data, str):
        return data.encode("utf-8", "surrogateescape" if _has_surrogates(data) else "strict")
    if isinstance(data, (bytearray, memoryview)):
        return bytes(data)
    if isinstance(data, email.message.Message):
        return bytes(data.as_bytes())
    if callable(getattr(data, "read", None)):
        content = data.read(mime.MAX_MESSAGE_BYTES + 1)
        if isinstance(content, bytes):
            return content
        raise TypeError("parse reads files that are opened in binary mode")
    raise TypeError(
        "parse takes bytes, str, bytearray, memoryview, a binary file or an email.message.Message, "
        f"not {type(data).__name__}"
    )


def _has_surrogates(text: str) -> bool:
    return not text.isascii() and any("\udc80" <= char <= "\udcff" for char in text)


def _delivery(recipient: Recipient, rules: RuleSet) -> Delivery:
    address = recipient.final_recipient
    if (not address or "@" not in address) and recipient.original_recipient:
        address = recipient.original_recipient
    verdict = rules.classify(
        recipient.diagnostic_code or "",
        host=recipient.remote_mta,
        recipient=address,
        command=recipient.command,
        status=recipient.status,
        action=recipient.action,
        diagnostic_type=recipient.diagnostic_type,
    )
    return Delivery(
        verdict=verdict,
        final_recipient=recipient.final_recipient,
        original_recipient=recipient.original_recipient,
        action=recipient.action,
        status=recipient.status,
        remote_mta=recipient.remote_mta,
        diagnostic_code=recipient.diagnostic_code,
        command=recipient.command,
        last_attempt=recipient.last_attempt,
        will_retry_until=recipient.will_retry_until,
    )
