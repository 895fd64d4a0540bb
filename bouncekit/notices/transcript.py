"""Transcripts of SMTP sessions in notices: who said what to which command, for which recipient.

Sendmail, Courier and KDDI write `>>>` before what was sent and `<<<` before what came back; InterScan writes
them the other way round (`Sent <<<`, `Received >>>`); MDaemon writes `-->` and `<--`; hMailServer says `sent:`
and `replied:`; GroupWise `Command:` and `Response:`.
"""

from __future__ import annotations

import re

import attrs

__all__ = ["Answer", "Transcript", "read"]

_ADDRESS = r"[^\s<>,;\"]{1,200}"
_SENT = re.compile(
    r"^\s*(?:>{2,3}|Sent <<<|-->|hMailServer sent:|Command:)[ \t]*(?P<command>[A-Za-z]{4})\b(?P<rest>.*)$"
)
_RECEIVED = re.compile(r"^\s*(?:<{3}|Received >>>|<--|Remote server replied:|Response:)[ \t]*(?P<reply>.*)$")
_HOST = re.compile(r"while talking to (?P<host>[\w.-]{1,253})", re.IGNORECASE)
_OWN = re.compile(
    rf"^\s*(?:[45]\d\d[ -])(?:[45]\.\d{{1,3}}\.\d{{1,3}} )?<?(?P<address>[^\s<>,;\"]{{1,64}}@{_ADDRESS}?|{_ADDRESS}?)>?(?:\.\.\.|:) (?P<words>.*)$"
)
_DEFERRED = re.compile(rf"^\s*<?(?P<address>[^\s<>,;\"]{{1,64}}@{_ADDRESS}?)>?\.\.\. (?P<words>Deferred.*)$", re.IGNORECASE)
_RECIPIENT = re.compile(rf"TO:?\s*<?(?P<address>{_ADDRESS}?)>?(?:\s|$)", re.IGNORECASE)
# What follows from an earlier refusal says nothing itself.
_CONSEQUENCE = re.compile(r"503|[45]\d\d(?:[ -]\d\.\d\.\d)? (?:need (?:rcpt|mail)|no valid recipients)", re.IGNORECASE)


@attrs.frozen
class Answer:
    """One server's answer."""

    reply: str
    host: str | None = None
    command: str | None = None


@attrs.frozen
class Transcript:
    """The answers of a transcript, by recipient; `general` holds those that were said to all."""

    by_recipient: dict[str, Answer]
    general: Answer | None = None

    def answer(self, address: str | None) -> Answer | None:
        """The answer that refused a recipient."""
        return self.by_recipient.get((address or "").lower()) or self.general


def read(words: str) -> Transcript:
    """Read the transcript in the words of a notice; without one, there are no answers."""
    said: dict[str, Answer] = {}
    own: dict[str, Answer] = {}
    general: Answer | None = None
    host: str | None = None
    command: str | None = None
    recipients: list[str] = []
    lines = words.split("\n")
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if talking := _HOST.search(line):
            host = talking["host"].rstrip(".")
            command = None
        elif sent := _SENT.match(line):
            command = sent["command"].upper()
            if command == "RCPT" and (to := _RECIPIENT.search(sent["rest"])):
                recipients.append(to["address"].lower())
        elif received := _RECEIVED.match(line):
            reply = [received["reply"].strip()]
            code = reply[0][:3]
            # The other lines of the same reply, with or without the mark.
            while number < len(lines) and (more := _more_of(lines[number], code, reply[-1])):
                reply.append(more)
                number += 1
            text = "\n".join(reply)
            if not re.match(r"[45]\d\d", text) or _CONSEQUENCE.match(text):
                if re.match(r"[23]\d\d", text):
                    continue
                if not text or _CONSEQUENCE.match(text):
                    continue
            answer = Answer(text, host, command)
            if command == "RCPT" and recipients:
                said[recipients.pop(0) if len(recipients) > 1 else recipients[-1]] = answer
            else:
                general = answer
        elif line_of_own := _OWN.match(line) or _DEFERRED.match(line):
            if not _CONSEQUENCE.match(line.strip()):
                own.setdefault(line_of_own["address"].lower(), Answer(line.strip(), host))
    if general is not None:
        own = {}
    return Transcript(own | said, general)


def _more_of(line: str, code: str, last: str) -> str | None:
    if not last.startswith(f"{code}-"):
        return None
    text = line.strip()
    if received := _RECEIVED.match(line):
        text = received["reply"].strip()
    return text if text.startswith(code) else None
