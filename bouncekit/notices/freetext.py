"""Notices without machine-readable fields: told by sender, subject and words, read by structure."""

from __future__ import annotations

import re

from bouncekit.message import Message, Part, parse_headers
from bouncekit.model import Kind, Original
from bouncekit.notices import original, words
from bouncekit.notices.listing import recipients_in
from bouncekit.notices.notice import Notice
from bouncekit.notices.text import Words, words_of

__all__ = ["is_from_daemon", "read"]

_DAEMON = re.compile(
    r"\b(?:mailer-?daemon|postmaster|post_master|mail-daemon|mail[_.]delivery|mdaemon|double-bounce|maildelivery|"
    r"microsoftexchange[0-9a-f]{32}|mail delivery|system administrator|daemon|mail administrator|sysadmin|mail system)\b",
    re.IGNORECASE,
)


def is_from_daemon(root: Part) -> bool:
    """Whether a mail system signs the message."""
    return bool(_DAEMON.search(root.header("from") or "")) or bool(_DAEMON.search(root.header("return-path") or ""))


def read(message: Message) -> Notice | None:
    """Read a notice in words; None where nothing tells that it is one."""
    root = message.root
    subject = root.header("subject") or ""
    said = words_of(root)
    by_subject, by_text = words.in_subject(subject), words.in_text(said.text)
    failed = original.addresses_of(root, "x-failed-recipients")
    signs = sum(
        (
            bool(failed) * 2,
            is_from_daemon(root),
            (root.header("return-path") or "").strip() == "<>",
            "failure" in by_subject or "delay" in by_subject,
            "failure" in by_text or "delay" in by_text,
        )
    )
    if signs < 2 or (not failed and "auto_reply" in by_subject):
        return None
    delayed = "delay" in by_subject or ("delay" in by_text and "failure" not in by_subject)
    action = "delayed" if delayed else "failed"
    returned = original.of_message(root) or _pasted(said)
    recipients = recipients_in(
        said.text,
        named=failed,
        own=original.own_addresses(root, returned),
        sent_to=returned.recipients if returned else (),
        action=action,
    )
    if not recipients and signs < 3 and not is_from_daemon(root):
        return None
    return Notice(
        kind=Kind.DELAY if delayed else Kind.FAILURE,
        format="text",
        recipients=tuple(recipients),
        original=returned,
        notes=("recipients and reasons are found by the structure of the text",),
    )


def _pasted(said: Words) -> Original | None:
    headers = parse_headers(said.pasted.lstrip("\n").partition("\n\n")[0].encode())
    return original.from_headers(headers) if headers else None
