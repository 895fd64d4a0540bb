"""Delivery status notifications (RFC 3464, before it RFC 1894; internationalised: RFC 6533)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import attrs

from bouncekit.message import Message, Part
from bouncekit.model import Kind, Original
from bouncekit.notices import original, transcript
from bouncekit.notices.fields import Group, address_field, date_field, groups_of, host_field, typed_field
from bouncekit.notices.listing import recipients_in
from bouncekit.notices.notice import Notice, Recipient
from bouncekit.notices.original import addresses_of, own_addresses
from bouncekit.notices.text import words_of

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
    words = words_of(message.root).text
    returned = original.of_message(message.root)
    recipients = _completed(_distinct(recipients), message, words, returned, notes)
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
    if not diagnostic:
        # The reason as a comment of the Status field, or a reply in its place.
        comment = re.sub(r"^\s*[245]\.\d{1,3}\.\d{1,3}[\s.]*", "", group.get("status", ""))
        diagnostic = comment.strip("() \n") if re.search(r"[A-Za-z]{3}", comment) else ""
    if kind != "smtp" and "x400-supplementary-info" in group:
        diagnostic = f"{diagnostic} {group['x400-supplementary-info']}"
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
    actions = {recipient.action for recipient in recipients} or {"failed"}
    if "failed" in actions:
        return Kind.FAILURE
    return Kind.DELAY if "delayed" in actions else Kind.SUCCESS


# --- what the fields leave out --------------------------------------------------------------------------


def _completed(
    recipients: list[Recipient], message: Message, words: str, returned: Original | None, notes: list[str]
) -> list[Recipient]:
    """Fill the gaps of the fields from the words for people, the header and the returned message."""
    in_words = recipients_in(
        words,
        named=addresses_of(message.root, "x-failed-recipients"),
        own=own_addresses(message.root, returned),
        sent_to=returned.recipients if returned else (),
    )
    if not recipients:
        if in_words:
            notes.append("no recipient has fields; recipients are taken from the text")
        return in_words
    return [_filled(recipient, in_words, words, len(recipients), notes) for recipient in recipients]


def _filled(recipient: Recipient, in_words: list[Recipient], words: str, count: int, notes: list[str]) -> Recipient:
    final = recipient.final_recipient
    told = next((r for r in in_words if (r.final_recipient or "").lower() in _names(recipient)), None)
    if told is None and count == len(in_words) == 1:
        told = in_words[0]
    if not final and recipient.original_recipient:
        notes.append("Final-Recipient is missing; Original-Recipient is taken")
        recipient = attrs.evolve(recipient, final_recipient=recipient.original_recipient)
    elif not final and told:
        notes.append("Final-Recipient is missing; it is taken from the text or the header")
        recipient = attrs.evolve(recipient, final_recipient=told.final_recipient)
    elif final and "@" not in final and told and not recipient.original_recipient:
        recipient = attrs.evolve(recipient, original_recipient=told.final_recipient)
    if recipient.action not in ("failed", "delayed") or _says_why(recipient):
        return recipient
    answer = transcript.read(words).answer(recipient.final_recipient or recipient.original_recipient)
    said = answer.reply if answer else told.diagnostic_code if told else None
    if not said:
        return recipient
    return attrs.evolve(
        recipient,
        diagnostic_code="\n".join(filter(None, (said, recipient.diagnostic_code))),
        remote_mta=recipient.remote_mta or (answer.host if answer else None),
        command=recipient.command or (answer.command if answer else None),
    )


def _says_why(recipient: Recipient) -> bool:
    """Whether the fields give a reason: more than an exit status or a bare code."""
    diagnostic = recipient.diagnostic_code or ""
    if recipient.diagnostic_type in ("x-unix", None) and re.fullmatch(r"\s*\d{0,3}\s*", diagnostic):
        return False
    return bool(diagnostic)


def _names(recipient: Recipient) -> set[str]:
    return {name.lower() for name in (recipient.final_recipient, recipient.original_recipient) if name}


def _distinct(recipients: list[Recipient]) -> list[Recipient]:
    """One entry an address and action: the same recipient reported twice is one delivery."""
    distinct: dict[tuple[str | None, str | None], Recipient] = {}
    for recipient in recipients:
        key = (recipient.final_recipient, recipient.action)
        if key not in distinct or (recipient.diagnostic_code and not distinct[key].diagnostic_code):
            distinct[key] = recipient
    return list(distinct.values())
