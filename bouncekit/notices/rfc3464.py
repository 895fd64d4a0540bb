"""Delivery status notifications (RFC 3464, before it RFC 1894; internationalised: RFC 6533)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import attrs

from bouncekit.message import Message, Part
from bouncekit.model import Kind
from bouncekit.notices import original
from bouncekit.notices.fields import Group, address_field, date_field, groups_of, host_field, typed_field
from bouncekit.notices.notice import Notice, Recipient

__all__ = ["read"]

_STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
_LOOKS_LIKE_FIELDS = re.compile(r"^(?:final-recipient|original-recipient)[ \t]*:", re.IGNORECASE | re.MULTILINE)
_HAS_MTA = re.compile(r"^(?:reporting-mta|action|status)[ \t]*:", re.IGNORECASE | re.MULTILINE)
# RFC 3464 section 2.3.3, and what is written instead.
_ACTIONS = {
    "failed": "failed", "failure": "failed", "fail": "failed", "error": "failed", "expired": "failed",
    "bounced": "failed", "undeliverable": "failed", "rejected": "failed",
    "delayed": "delayed", "delay": "delayed", "deferred": "delayed", "warning": "delayed",
    "delivered": "delivered", "success": "delivered", "relayed": "relayed", "expanded": "expanded",
}  # fmt: skip


def read(message: Message) -> Notice | None:
    """Read a message with a delivery-status part; None where it has none."""
    texts = list(_status_texts(message.root))
    if not texts:
        return None
    notes: list[str] = []
    head: Group = {}
    recipients: list[Recipient] = []
    for text in texts:
        for group in groups_of(text):
            if _is_recipient(group):
                recipients.append(_recipient(group, notes))
                # A per-message block that runs into the first recipient's.
                head = {name: group[name] for name in _PER_MESSAGE if name in group} | head
            else:
                head = group | head
    if not recipients and not head:
        return None
    words = human_text(message.root)
    returned = original.of_message(message.root)
    recipients = _named(recipients or [Recipient()], message, words, returned_to(returned), notes)
    recipients = [_filled(recipient, words, len(recipients) == 1) for recipient in _distinct(recipients)]
    sender = address_field(head["x-postfix-sender"]) if "x-postfix-sender" in head else None
    if returned and sender and not returned.envelope_sender:
        returned = attrs.evolve(returned, envelope_sender=sender)
    return Notice(
        kind=_kind(recipients),
        format="rfc3464",
        recipients=tuple(recipients),
        reporting_mta=host_field(head["reporting-mta"]) if "reporting-mta" in head else None,
        arrival_date=date_field(head["arrival-date"]) if "arrival-date" in head else None,
        envelope_id=head.get("original-envelope-id"),
        envelope_sender=sender,
        original=returned,
        notes=tuple(dict.fromkeys(notes)),
    )


_PER_MESSAGE = ("reporting-mta", "arrival-date", "original-envelope-id", "x-postfix-sender")


def _status_texts(root: Part) -> Iterator[str]:
    """The texts of all delivery-status parts, also of those that are sent as something else."""
    found = False
    for part in root.walk():
        if part.content_type in _STATUS_TYPES:
            found = True
            yield part.text() if part.body else "\n\n".join(_fields_of(child) for child in part.parts)
    if found:
        return
    for part in root.walk():
        if part.content_type in ("text/plain", "application/octet-stream", "message/report"):
            text = part.text()
            if _LOOKS_LIKE_FIELDS.search(text) and _HAS_MTA.search(text):
                yield text[_fields_start(text) :]
                return


def _fields_start(text: str) -> int:
    starts = [match.start() for match in (_HAS_MTA.search(text), _LOOKS_LIKE_FIELDS.search(text)) if match]
    return min(starts, default=0)


def _fields_of(part: Part) -> str:
    return "\n".join(f"{name}: {value}" for name, value in part.headers)


def _is_recipient(group: Group) -> bool:
    return any(name in group for name in ("final-recipient", "original-recipient", "action", "diagnostic-code")) or (
        "status" in group and "reporting-mta" not in group
    )


def _recipient(group: Group, notes: list[str]) -> Recipient:
    kind, diagnostic = typed_field(group["diagnostic-code"]) if "diagnostic-code" in group else (None, None)
    status = _status(group.get("status"), notes)
    return Recipient(
        final_recipient=_address(group, "final-recipient", notes),
        original_recipient=_address(group, "original-recipient", notes)
        or _address(group, "x-actual-recipient", notes),
        action=_action(group.get("action"), status, notes),
        status=status,
        remote_mta=host_field(group["remote-mta"]) if "remote-mta" in group else None,
        diagnostic_type=kind,
        diagnostic_code=diagnostic or None,
        last_attempt=date_field(group["last-attempt-date"]) if "last-attempt-date" in group else None,
        will_retry_until=date_field(group["will-retry-until"]) if "will-retry-until" in group else None,
    )


def _address(group: Group, name: str, notes: list[str]) -> str | None:
    value = group.get(name, "").split("\n")[0] if name != "final-recipient" else group.get(name, "")
    if not value:
        return None
    kind, _ = typed_field(value)
    if kind not in ("rfc822", "utf-8", None):
        notes.append(f"{name.title()} has the address type {kind}")
    return address_field(value)


def _status(value: str | None, notes: list[str]) -> str | None:
    if not value:
        return None
    match = re.search(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?!\.?\d)", value)
    if match:
        return match[1]
    notes.append(f"Status {value[:40]!r} is no enhanced status code")
    return None


def _action(value: str | None, status: str | None, notes: list[str]) -> str:
    """The action; where none is stated, what the class of the status implies."""
    word = re.match(r"[\s(]*([A-Za-z]+)", value or "")
    if word and (action := _ACTIONS.get(word[1].lower())):
        if word[1].lower() != action:
            notes.append(f"Action {word[1]!r} is read as {action}")
        return action
    implied = {"2": "delivered", "4": "delayed"}.get((status or "5")[0], "failed")
    notes.append(f"Action {value!r} is unknown and read as {implied}" if value else f"Action is missing and read as {implied}")
    return implied


def _kind(recipients: list[Recipient]) -> Kind:
    actions = {recipient.action for recipient in recipients}
    if "failed" in actions:
        return Kind.FAILURE
    return Kind.DELAY if "delayed" in actions else Kind.SUCCESS


# --- what the fields leave out --------------------------------------------------------------------------


def human_text(root: Part) -> str:
    """The words of a notice for people: its first text part."""
    return next((part.text() for part in root.walk() if part.content_type in ("text/plain", "text/html") and part.body), "")


def returned_to(returned: object) -> tuple[str, ...]:
    return getattr(returned, "recipients", ())


def _named(
    recipients: list[Recipient], message: Message, words: str, sent_to: tuple[str, ...], notes: list[str]
) -> list[Recipient]:
    """Find the address of a recipient whose fields do not give it."""
    failed = [a for value in message.root.header_all("x-failed-recipients") for a in original.addresses(value)]
    known = {recipient.final_recipient for recipient in recipients}
    sources = (
        ("X-Failed-Recipients", failed),
        ("the text", list(dict.fromkeys(re.findall(r"<([^<>\s@]+@[^<>\s]+)>", words)))),
        ("the returned message", list(sent_to)),
    )
    named = []
    for recipient in recipients:
        if not recipient.final_recipient and recipient.original_recipient:
            notes.append("Final-Recipient is missing; Original-Recipient is taken")
            recipient = attrs.evolve(recipient, final_recipient=recipient.original_recipient)
        elif not recipient.final_recipient or "@" not in recipient.final_recipient:
            for name, candidates in sources:
                left = [candidate for candidate in candidates if candidate not in known]
                if left and (len(left) == 1 or len(left) == len(recipients)):
                    if not recipient.final_recipient:
                        notes.append(f"Final-Recipient is missing; it is taken from {name}")
                        recipient = attrs.evolve(recipient, final_recipient=left[0])
                        known.add(left[0])
                    elif not recipient.original_recipient or "@" not in recipient.original_recipient:
                        recipient = attrs.evolve(recipient, original_recipient=left[0])
                    break
        named.append(recipient)
    return named


def _distinct(recipients: list[Recipient]) -> list[Recipient]:
    """One entry an address and action: the same recipient reported twice is one delivery."""
    distinct: dict[tuple[str | None, str | None], Recipient] = {}
    for recipient in recipients:
        key = (recipient.final_recipient, recipient.action)
        if key not in distinct or (recipient.diagnostic_code and not distinct[key].diagnostic_code):
            distinct[key] = recipient
    return list(distinct.values())


_REPLY_IN_TEXT = re.compile(r"(?<![\w.:/@-])[45][0-5]\d[ \-#](?=\S)|#\d\.\d{1,3}\.\d{1,3}|(?<![\d.])[45]\.\d\.\d{1,2}(?![\d.])")


def _filled(recipient: Recipient, words: str, only: bool) -> Recipient:
    """Where the fields say no reason, take it from the text for people: what follows the recipient's address."""
    if recipient.diagnostic_code or recipient.action not in ("failed", "delayed"):
        return recipient
    reason = reason_in(words, recipient, only)
    return attrs.evolve(recipient, diagnostic_code=reason) if reason else recipient


def reason_in(words: str, recipient: Recipient, only: bool) -> str | None:
    """The paragraph about a recipient in the words for people."""
    paragraphs = [paragraph.strip() for paragraph in re.split(r"\n[ \t]*\n", words) if paragraph.strip()]
    names = [name.lower() for name in (recipient.final_recipient, recipient.original_recipient) if name]
    about = [p for p in paragraphs if any(name in p.lower() for name in names)]
    with_reply = [p for p in about if _REPLY_IN_TEXT.search(p)]
    if not with_reply and only:
        with_reply = [p for p in paragraphs if _REPLY_IN_TEXT.search(p)]
    chosen = (with_reply or about)[:1]
    if not chosen:
        return None
    text = chosen[0]
    for name in names:
        start = text.lower().find(name)
        if start >= 0 and not _REPLY_IN_TEXT.search(text[:start]):
            text = text[start + len(name) :].lstrip(" >:.\n\t")
    return text[:2000] or None
