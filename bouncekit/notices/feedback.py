"""Feedback reports (RFC 5965; authentication failures: RFC 6591) and the complaints that look otherwise."""

from __future__ import annotations

import re

from bouncekit.message import Message, Part
from bouncekit.model import Feedback, Kind, Original
from bouncekit.notices import original
from bouncekit.notices.fields import Group, address_field, date_field, groups_of
from bouncekit.notices.notice import Notice, Recipient

__all__ = ["read"]

# Providers that forward the message itself instead of a report: who writes, and how the subject begins.
_FORWARDED = (
    (re.compile(r"staff@hotmail\.com|@(?:[\w-]+\.)?(?:outlook|hotmail|live)\.com", re.IGNORECASE), "complaint about message from"),
    (re.compile(r"complaints@email-abuse\.amazonses\.com", re.IGNORECASE), ""),
    (re.compile(r"scomp@aol\.net|feedbackloop@|fbl@", re.IGNORECASE), "email feedback report for ip"),
)
_SOURCE_IP = re.compile(r"\b(?:from|ip)\b[^\d\n]{0,20}((?:\d{1,3}\.){3}\d{1,3})", re.IGNORECASE)


def read(message: Message) -> Notice | None:
    """Read a feedback report; None where the message is none."""
    root = message.root
    report = next((part for part in root.walk() if part.content_type == "message/feedback-report"), None)
    returned = original.of_message(root)
    if report is not None:
        fields = _merged(groups_of(_field_text(report)))
        return _notice(fields, returned, "arf")
    sender, subject = root.header("from") or "", (root.header("subject") or "").lower()
    for who, start in _FORWARDED:
        if who.search(sender) and subject.startswith(start):
            ip = _SOURCE_IP.search(root.header("subject") or "")
            fields = {"feedback-type": "abuse"} | ({"source-ip": ip[1]} if ip else {})
            return _notice(fields, returned, "complaint")
    return None


def _field_text(part: Part) -> str:
    return part.text() if part.body else "\n".join(f"{k}: {v}" for child in part.parts for k, v in child.headers)


def _merged(groups: list[Group]) -> Group:
    merged: Group = {}
    for group in groups:
        for name, value in group.items():
            merged[name] = f"{merged[name]}\n{value}" if name in merged else value
    return merged


def _notice(fields: Group, returned: Original | None, format_: str) -> Notice:
    to = _all(fields, "original-rcpt-to") or _all(fields, "removal-recipient")
    recipients = [address for value in to if (address := address_field(value))]
    if not recipients and returned:
        recipients = list(returned.recipients)
    feedback = Feedback(
        feedback_type=(_all(fields, "feedback-type") or ["abuse"])[0].lower(),
        source_ip=next(iter(_all(fields, "source-ip")), None),
        original_mail_from=address_field(fields["original-mail-from"]) if "original-mail-from" in fields else None,
        original_rcpt_to=tuple(address for value in to if (address := address_field(value))),
        reported_domain=tuple(_all(fields, "reported-domain")),
        reported_uri=tuple(_all(fields, "reported-uri")),
        user_agent=next(iter(_all(fields, "user-agent")), None),
        incidents=_number(fields.get("incidents")),
    )
    arrived = fields.get("arrival-date") or fields.get("received-date")
    return Notice(
        kind=Kind.FEEDBACK_REPORT,
        format=format_,
        recipients=tuple(Recipient(final_recipient=address, action="complaint") for address in recipients),
        reporting_mta=address_field(fields["reporting-mta"]) if "reporting-mta" in fields else None,
        arrival_date=date_field(arrived) if arrived else None,
        envelope_id=fields.get("original-envelope-id"),
        original=returned,
        feedback=feedback,
    )


def _all(fields: Group, name: str) -> list[str]:
    return [value.strip() for value in fields.get(name, "").split("\n") if value.strip()]


def _number(value: str | None) -> int:
    match = re.match(r"\s*(\d{1,9})", value or "")
    return int(match[1]) if match else 1
