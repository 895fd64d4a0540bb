"""The general reader of notices in words: who is named as a recipient, and what is said about each.

It goes by structure first: an address alone on its line, an address and a reason on one line, an address
behind a label; then by the replies that stand below each; words only choose between what is left.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import attrs

from bouncekit.notices import transcript
from bouncekit.notices.notice import Recipient

__all__ = ["recipients_in"]

MAX_RECIPIENTS = 500
"""How many recipients of one notice are kept."""

_LOCAL = r"(?:[^\s<>\"'()\[\],;:*|=]{1,64}|[^\s<>\"'()\[\],;:*|]{1,64})"
_ADDR = rf"(?:{_LOCAL}@(?:[A-Za-z0-9_-]{{1,63}}\.)*[A-Za-z0-9][A-Za-z0-9-]{{0,62}}|\"[^\"\n]{{1,64}}\"@[\w.-]{{1,253}})"
_ANY_ADDRESS = re.compile(_ADDR)
_MAILTO = r"(?:\s?[<(\[]mailto:[^>)\]]{1,300}[>)\]])?"
_OPEN, _CLOSE = r"[<\"'(\[]{0,2}(?:(?:mailto|smtp|rfc822)[:;]\s?)?", r"[>\"')\]]{0,2}"
_ALONE = re.compile(
    rf"^[ \t]*(?:[*>•|-]+[ \t]*)?(?:\"?[^\"<>@\n]{{1,80}}\"?[ \t]+)?{_OPEN}(?P<address>{_ADDR}){_CLOSE}{_MAILTO}[ \t]*[:;,.]?[ \t]*$",
    re.IGNORECASE,
)
_WITH_REASON = re.compile(
    rf"^[ \t]*(?:[*•-]+[ \t]*)?{_OPEN}(?P<address>{_ADDR}){_CLOSE}{_MAILTO}"
    r"(?:[ \t]*(?::|\.\.\.|;|,)[ \t]*|[ \t]+-+[ \t]+|[ \t]+on[ \t]+(?=\S+[ ,]\d|\d)|[ \t]+(?=[(\[\"]?(?:[45]\d\d|[A-Z(\[])))(?P<reason>\S.*)$",
    re.IGNORECASE,
)
_LABELS = (
    r"(?:failed |intended |final[- ]|original[- ]|invalid )?recipients?(?: address)?|original address|e-?mail address|addressed to|"
    r"rcpt(?: to)?|error-for|unknown user|unknown host|user unknown|invalid final delivery userid|undeliverable to|"
    r"user mailbox exceeds allowed size|delivery failed(?: \d+ attempts?| to)?|mailbox full|address|destinataire|empfänger|"
    r"destinatario|destinatário|宛先|收件人"
)
_LABELLED = re.compile(
    rf"^[ \t]*(?:[*>-]+[ \t]*)?(?P<label>{_LABELS})[ \t]*(?:\([^()\n]{{0,40}}\))?[ \t]*[:：=]+[ \t]*{_OPEN}(?P<address>{_ADDR}){_CLOSE}(?P<rest>.*)$",
    re.IGNORECASE,
)
_LABEL_ABOVE = re.compile(
    r"(?:following (?:recipients?|address(?:es)?)|these recipients or groups|recipient\(s\)|addressed to email address|not delivered to|message to)\b.{0,80}:?[ \t]*$",
    re.IGNORECASE,
)
_IN_SENTENCE = re.compile(
    rf"(?:deliver(?:ed|y|ing)?|sent|send|message|mail|reach|recipient|user|mailbox|account|address|rejected by|to)\b[^\n@]{{0,60}}?{_OPEN}(?P<address>{_ADDR}){_CLOSE}"
    rf"|^[ \t]*{_OPEN}(?P<first>{_ADDR}){_CLOSE}[ \t]",
    re.IGNORECASE | re.MULTILINE,
)
_OWN_LINE = re.compile(rf"^\s*[45]\d\d[ -](?:[45]\.\d{{1,3}}\.\d{{1,3}}[ ])?{_OPEN}(?P<address>{_ADDR}){_CLOSE}(?:\.\.\.|:)[ \t]*(?P<reason>.*)$")
_GENERATED = re.compile(rf"^\s*\((?:generated|expanded) from:? <?(?P<parent>{_ADDR})>?\)", re.IGNORECASE)
_CONTACT = re.compile(r"contact|assist|question|write to|e-?mail us|reply to|report this|help ?desk|support|complain|please (?:send|forward)|notify", re.IGNORECASE)
_HAS_REPLY = re.compile(
    r"(?<![\w.:/@-])[45][0-5]\d(?:[ \-#:,]\s?(?=\S)|$)|#\s?[45]?\.?\d\.\d{1,3}|(?<![\d.])[45]\.\d\.\d{1,3}(?![\d.])|<<<|said:|returned '",
    re.MULTILINE,
)
_RULE = re.compile(r"^[ \t]*[-=_*~#+]{3,}[ \t]*$")
_HEADING = re.compile(r"^[ \t]*-{2,}[^\n]{0,90}-{2,}[ \t]*$")


@attrs.frozen
class _Mark:
    """An address that a line puts forward as a recipient."""

    address: str
    line: int
    strength: int
    reason: str = ""
    parent: str | None = None


def recipients_in(
    words: str,
    *,
    named: Iterable[str] = (),
    own: Iterable[str] = (),
    sent_to: Iterable[str] = (),
    action: str = "failed",
) -> list[Recipient]:
    """Find recipients and reasons in the words of a notice.

    :param named: recipients that a header names (X-Failed-Recipients).
    :param own: addresses of the notice's own header, which are no recipients unless nothing else is.
    :param sent_to: where the returned message went.
    """
    own = {address.lower() for address in own}
    lines = words.split("\n")
    marks = _marks(lines, own)
    if not marks:
        marks = [_Mark(address, 0, 1, "") for address in named] or _loose_marks(words, lines, own)
    if not marks:
        found = list(dict.fromkeys(sent_to))
        marks = [_Mark(found[0], 0, 1)] if len(found) == 1 else []
    session = transcript.read(words)
    recipients: dict[str, Recipient] = {}
    for number, mark in enumerate(marks[:MAX_RECIPIENTS]):
        after = next((other.line for other in marks[number + 1 :] if other.line > mark.line), len(lines))
        recipient = _recipient(mark, lines, after, marks, session, action)
        known = recipients.get(recipient.final_recipient or "")
        if known is None or _better(recipient, known):
            recipients[recipient.final_recipient or ""] = attrs.evolve(
                recipient, original_recipient=recipient.original_recipient or (known.original_recipient if known else None)
            )
    return list(recipients.values())


def _marks(lines: list[str], own: set[str]) -> list[_Mark]:
    """The lines that put a recipient forward, strongest kind only."""
    marks: list[_Mark] = []
    for number, line in enumerate(lines):
        if "@" not in line or len(line) > 2000:
            continue
        mark = _mark(line, number)
        if mark is None or _speaks_of_contact(lines, number, line):
            continue
        if mark.address.lower() in own and mark.strength < 3:
            continue
        follower = lines[number + 1] if number + 1 < len(lines) else ""
        if generated := _GENERATED.match(follower):
            mark = attrs.evolve(mark, parent=generated["parent"])
        marks.append(mark)
    foreign = [mark for mark in marks if mark.address.lower() not in own]
    marks = foreign or marks
    strongest = max((mark.strength for mark in marks), default=0)
    return [mark for mark in marks if mark.strength >= min(strongest, 2)]


def _mark(line: str, number: int) -> _Mark | None:
    if _GENERATED.match(line):
        return None
    if alone := _ALONE.match(line):
        return _Mark(alone["address"], number, 3)
    if labelled := _LABELLED.match(line):
        label = labelled["label"].lower()
        says_why = label.startswith(("unknown", "user", "invalid final", "undeliverable", "delivery failed", "mailbox"))
        reason = f"{labelled['label']}: {labelled['rest']}" if says_why else labelled["rest"].strip(" >]").removeprefix(", ")
        return _Mark(labelled["address"], number, 3, reason)
    if said := _OWN_LINE.match(line):
        return _Mark(said["address"], number, 2, line.strip())
    if reasoned := _WITH_REASON.match(line):
        return _Mark(reasoned["address"], number, 2, reasoned["reason"])
    return None


def _speaks_of_contact(lines: list[str], number: int, line: str) -> bool:
    before = lines[number - 1] if number and not line.strip().startswith(("<", '"')) else ""
    return bool(_CONTACT.search(f"{before} {line[: line.find('@')]}"))


def _loose_marks(words: str, lines: list[str], own: set[str]) -> list[_Mark]:
    """Addresses in sentences, where no line puts one forward."""
    marks = []
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    for match in _IN_SENTENCE.finditer(words):
        address = (match["address"] or match["first"]).rstrip(".")
        number = next(index for index, start in enumerate(starts) if start > match.start()) - 1
        # Of contacts, and of the session itself (`MAIL FROM:<...>`), nothing is said.
        if address.lower() in own or _CONTACT.search(lines[number][: lines[number].find(address)]):
            continue
        marks.append(_Mark(address, number, 1, lines[number].strip()))
    return list({mark.address.lower(): mark for mark in reversed(marks)}.values())[::-1]


def _recipient(
    mark: _Mark, lines: list[str], after: int, marks: list[_Mark], session: transcript.Transcript, action: str
) -> Recipient:
    answer = session.answer(mark.address) or (session.answer(mark.parent) if mark.parent else None)
    below = _reason(mark, lines[mark.line + 1 : after])
    if not below and all(not other.reason for other in marks):
        # A list of recipients and one reason, below the last or above the first.
        last, first = marks[-1], marks[0]
        below = _reason(last, lines[last.line + 1 :]) or "\n".join(_paragraphs(lines[: first.line])[-3:])
    if answer and not (below and re.match(r"[45]\d\d", below) and not re.match(r"[45]\d\d", answer.reply)):
        below = answer.reply
    return Recipient(
        final_recipient=mark.address.strip('"'),
        original_recipient=mark.parent,
        action=action,
        remote_mta=answer.host if answer else None,
        command=answer.command if answer else None,
        diagnostic_code=below[:4000] or None,
    )


def _reason(mark: _Mark, below: list[str]) -> str:
    """What is said about one recipient: up to the paragraph with the reply, else the first words."""
    first = mark.reason.strip()
    paragraphs = _paragraphs(below)
    if first and _HAS_REPLY.search(first):
        return "\n".join([first, *_continued(below)])
    for number, paragraph in enumerate(paragraphs[:8]):
        if _HAS_REPLY.search(paragraph):
            chosen = paragraphs[: number + 1] if number < 2 else [paragraph]
            return "\n".join(filter(None, (first, *chosen)))
    return "\n".join(filter(None, (first, *paragraphs[: 1 if first else 2])))


def _continued(below: list[str]) -> list[str]:
    """The lines that go on with a reply begun on the recipient's own line."""
    lines = []
    for line in below[:20]:
        if not line.strip() or _RULE.match(line) or _HEADING.match(line):
            break
        lines.append(line)
    return lines


def _paragraphs(lines: list[str]) -> list[str]:
    paragraphs: list[list[str]] = [[]]
    for line in lines[:200]:
        if _GENERATED.match(line) or _RULE.match(line):
            continue
        if line.strip() and not _HEADING.match(line):
            paragraphs[-1].append(line.strip())
        elif paragraphs[-1]:
            paragraphs.append([])
    return ["\n".join(paragraph) for paragraph in paragraphs if paragraph]


def _better(new: Recipient, known: Recipient) -> bool:
    """The same address twice: the mention that comes with a reply counts."""
    return bool(_HAS_REPLY.search(new.diagnostic_code or "")) and not _HAS_REPLY.search(known.diagnostic_code or "")
