"""What the returned part of a notice says about the mail that bounced."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bouncekit.message import Headers, Part, decoded_header, parse_headers
from bouncekit.model import Original
from bouncekit.notices.fields import date_field

__all__ = ["addresses", "addresses_of", "from_headers", "of_message", "own_addresses"]

_RETURNED_TYPES = (
    "message/rfc822",
    "message/global",
    "text/rfc822-headers",
    "text/rfc822-header",
    "message/rfc822-headers",
    "message/global-headers",
)
_PASTED = re.compile(
    r"^-{2,}.{0,80}(?:copy of the (?:message|mail)|original message|headers? follow|returned message|"
    r"unsent message|message header).{0,60}$|^original message(?: headers)?(?: follows?)?[:.]?$",
    re.IGNORECASE | re.MULTILINE,
)
_ADDRESS = re.compile(r"[^\s<>,;:\"()\[\]]{1,64}@(?:[\w-]{1,63}\.)*[\w-]{1,63}|\"[^\"\n]{1,64}\"@[\w.-]{1,253}")
_KEPT = 200
"""How many headers of the original are kept."""


def of_message(root: Part) -> Original | None:
    """The original of a notice: its returned part, else headers pasted into its text."""
    for part in root.walk():
        if part.content_type not in _RETURNED_TYPES:
            continue
        if part.parts:
            headers = part.parts[0].headers
        else:
            headers = parse_headers(part.content().lstrip(b"\n").partition(b"\n\n")[0])
        if headers:
            return from_headers(headers)
    for part in root.walk():
        if part.content_type in ("text/plain", "text/html") and (marker := _PASTED.search(text := part.text())):
            headers = parse_headers(text[marker.end() :].strip("\n").partition("\n\n")[0].encode())
            if _names(headers) & {"message-id", "from", "subject", "received"}:
                return from_headers(headers)
    return None


def from_headers(headers: Headers) -> Original:
    """Put together what a sender needs to find the send again."""
    values: dict[str, str] = {}
    for name, value in headers:
        values.setdefault(name.lower(), value)
    date = values.get("date")
    recipients = [
        address
        for name, value in headers
        if name.lower() in ("to", "cc", "bcc", "x-original-to", "delivered-to")
        for address in addresses(value)
    ]
    return Original(
        message_id=_first(values.get("message-id")),
        subject=decoded_header(values["subject"]) if "subject" in values else None,
        sender=next(addresses(values.get("from", "")), None),
        envelope_sender=next(addresses(values.get("return-path", "")), None),
        recipients=tuple(dict.fromkeys(recipients)),
        date=date_field(date) if date else None,
        headers=tuple((name, decoded_header(value)) for name, value in headers[:_KEPT]),
        feedback_id=values.get("feedback-id"),
        list_id=values.get("list-id"),
    )


def addresses(value: str) -> Iterator[str]:
    """The addresses in a header's value."""
    return (match[0].rstrip(".") for match in _ADDRESS.finditer(decoded_header(value)))


def addresses_of(part: Part, name: str) -> list[str]:
    """The addresses in all headers of one name."""
    return [address for value in part.header_all(name) for address in addresses(value)]


_OWN_HEADERS = ("from", "to", "cc", "reply-to", "sender", "return-path", "delivered-to", "x-original-to", "errors-to")


def own_addresses(root: Part, returned: Original | None) -> set[str]:
    """The addresses of a notice that belong to its writer and its reader, in lower case."""
    own = {address.lower() for name in _OWN_HEADERS for address in addresses_of(root, name)}
    if returned:
        own |= {address.lower() for address in (returned.sender, returned.envelope_sender) if address}
        own -= {address.lower() for address in returned.recipients}
    return own - {address.lower() for address in addresses_of(root, "x-failed-recipients")}


def _first(value: str | None) -> str | None:
    return value.split()[0] if value and value.split() else None


def _names(headers: Headers) -> set[str]:
    return {name.lower() for name, _ in headers}
