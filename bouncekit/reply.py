"""The grammar of SMTP replies as they are found in the wild. Knows nothing about providers.

    text -> one line -> frame, quoted answer -> reply code, enhanced status, command, host, IP, retry time

The rules of this module:

1.  A reply of several lines (`550-5.1.1 one`, `550 5.1.1 two`; RFC 5321 section 4.2.1) is one line of text,
    also where somebody joined its lines before us.
2.  A frame around another server's answer (`host ... said: 550 ...`) gives way to the answer; frames nest.
3.  Where the sender's address was tested (sender verification, callout) the words are about the sender,
    whatever the quoted answer says, and nothing is unwrapped.
4.  A reply code stands at the start of an answer or where a frame announces one; an enhanced status stands
    right behind the code, in brackets, behind `#`, or between blanks. What is part of an IP, a version, a
    date, a size or an address is no code.
5.  What is contradictory is kept as it stands and said in `notes`.
"""

from __future__ import annotations

import html
import re
import unicodedata
from enum import Enum
from typing import NamedTuple

import attrs

__all__ = ["MAX_REPLY_CHARS", "Reply", "Subject", "fold", "read"]

MAX_REPLY_CHARS = 65_536
"""How many characters of a reply are read; RFC 5321 section 4.5.3.1.5 allows 512 octets a line."""
MAX_FRAMES = 8
"""How many frames around one another are opened."""


class Subject(str, Enum):
    """Whose address the answer is about."""

    RECIPIENT = "recipient"
    SENDER = "sender"


@attrs.frozen
class Reply:
    """What one reply says, before anybody asks what it means."""

    text: str
    """The answer that counts, on one line, without its leading codes."""
    code: int | None = None
    status: str | None = None
    frame: str = ""
    """The words around the answer, where it was quoted."""
    subject: Subject = Subject.RECIPIENT
    command: str | None = None
    """The SMTP command that was answered: CONNECT, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, BODY or QUIT."""
    host: str | None = None
    ip: str | None = None
    retry_after: int | None = None
    """Seconds."""
    expired: bool = False
    """Time ran out after answers that could have been retried."""
    notes: tuple[str, ...] = ()


def read(text: str, command: str | None = None) -> Reply:
    """Read one SMTP reply, bare or with the words of whoever passed it on.

    :param text: the reply, of any number of lines.
    :param command: the SMTP command that it answered, where the caller knows it.
    :returns: the parts of the innermost answer. Nothing is raised for any text.
    """
    notes: list[str] = []
    if len(text) > MAX_REPLY_CHARS:
        notes.append(f"reply cut at {MAX_REPLY_CHARS} characters")
        text = text[:MAX_REPLY_CHARS]
    line = one_line(text)
    lower = line.lower()
    about_sender = tests_sender(lower)
    answer, frames = (line, []) if about_sender else unwrap(line, lower)
    code, status, rest = codes(answer)
    host = ip = None
    for frame in frames:
        host, ip = frame.host or host, frame.ip or ip
        command = command or frame.command
    if frames:
        code, status = code or frames[-1].code, status or frames[-1].status
    if code and status and status[0] != str(code)[0]:
        notes.append(f"reply code {code} and status {status} disagree; the reply code's class is taken")
    return Reply(
        text=rest,
        code=code,
        status=status,
        frame=" ".join(frame.words for frame in frames),
        subject=Subject.SENDER if about_sender else Subject.RECIPIENT,
        command=command_name(command) if command else said_after(line),
        host=host,
        ip=ip.rstrip(".:") if ip else None,
        retry_after=retry_after(lower),
        expired=any(words in lower for words in _EXPIRED),
        notes=tuple(notes),
    )


# --- one line -------------------------------------------------------------------------------------------

_TAG = re.compile(
    r"</?(?:br|p|div|span|b|i|font|t[dr]|a|pre|tt|em|strong|code)(?:\s[^<>]{0,300}|/)?>", re.IGNORECASE
)
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|nbsp|apos|#\d{1,5}|#x[\da-f]{1,5});", re.IGNORECASE)
_WRITTEN_NEWLINE = re.compile(r"(?:\\r)?\\n|\\r")
_CONTINUED = re.compile(r"(?:^[<\[\"'(]{0,2}|(?<=[\s:;]))(?P<code>[245]\d\d)-(?!['\"]?\d\.\d\.\d[^'\"]{0,400}['\"] \(delivery)(?=\D|\d\.\d)")
_STATUS_BEHIND_CODE = re.compile(r"[ #(\[]*(?P<status>[245]\.\d{1,3}\.\d{1,3})(?![\d.])[)\]]?\s?")
_TYPED = re.compile(
    r"\s*(?:diagnostic-code\s*:\s*)?(?:smtp|smpt|lmtp|esmtp|x-[a-z0-9-]{2,20}|x400|asn-1|unix|local)\s*;\s*",
    re.IGNORECASE,
)


def one_line(text: str) -> str:
    """The reply without line prefixes, HTML remains, a diagnostic type in front and runs of white space."""
    if "<" in text and _TAG.search(text):
        text = _TAG.sub(" ", text)
    if "&" in text and _ENTITY.search(text):
        text = html.unescape(text)
    if "\\" in text:
        text = _WRITTEN_NEWLINE.sub(" ", text)
    line = " ".join(text.split())
    if ";" in line[:40] and (typed := _TYPED.match(line)):
        line = line[typed.end() :]
    if "-" in line and (continued := _CONTINUED.search(line)):
        line = _join_lines(line, continued)
    return line


def _join_lines(line: str, first: re.Match[str]) -> str:
    """Take the prefixes of all lines but the first away (RFC 5321 section 4.2.1)."""
    code = first["code"]
    head, tail = line[: first.start("code")], line[first.end() :]
    status = _STATUS_BEHIND_CODE.match(tail)
    same_status = ""
    if status:
        head, tail = f"{head}{code} {status['status']} ", tail[status.end() :]
        same_status = rf"(?:[#(\[]?{re.escape(status['status'])}[)\]]?(?![\d.])\s?)?"
    else:
        head = f"{head}{code} "
    prefix = rf"(?:(?<=\s)|^){code}(?:-|(?= |$)) ?{same_status}((?:{code}(?= ))?)"
    return head + re.sub(prefix, r"\1", tail).lstrip()


_PLAIN = str.maketrans(
    {
        "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u02bc": "'", "`": "'", "\u00b4": "'",
        "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u00ab": '"', "\u00bb": '"',
        "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2212": "-",
        "\u00ad": None, "\u200b": None, "\u200e": None, "\u200f": None, "\ufeff": None,
    }
)  # fmt: skip


def fold(text: str) -> str:
    """Case, white space and typography folded: the form in which phrases are compared."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_PLAIN)
    elif "`" in text:
        text = text.replace("`", "'")
    return " ".join(text.lower().split())


# --- frames ---------------------------------------------------------------------------------------------


class Frame(NamedTuple):
    """The words around a quoted answer."""

    words: str
    host: str | None = None
    ip: str | None = None
    command: str | None = None
    code: int | None = None
    status: str | None = None


_HOST = r"(?P<host>[A-Za-z0-9_][\w.-]{0,254})"
_IP = r"(?P<ip>[0-9A-Fa-f.:]{3,45})"
_CODE_AHEAD = r"(?=['\"<(#]{0,3}[245]\d\d[ \-#.,:'\"<])"
# Each row: a literal that must occur in the folded text, and the expression whose group `answer` is what the
# other server said. All are linear: no group repeats over what it holds.
_FRAMES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (trigger, re.compile(pattern, re.IGNORECASE))
    for trigger, pattern in (
        # Postfix: host H[IP] said: ANSWER (in reply to C command)
        (
            "host ",
            rf"\bhost {_HOST} ?\[(?:IPv6:)?{_IP}\](?::\d+)? (?:said|refused to talk to me|says): "
            r"(?P<answer>.*?)(?: \(in reply to (?:end of )?(?P<command>[A-Z][A-Z ]{2,20}?) command\).{0,40})?$",
        ),
        # Exim: SMTP error from remote mail server after C:<...>: host H [IP]: ANSWER
        (
            "error from remote",
            r"(?:SMTP|LMTP|ESMTP)? ?error from remote (?:mail ?(?:server|er)|server) (?:after|for) "
            r"(?P<command>initial connection|pipelined [A-Z ]{4,20}|end of data|[A-Z]{4}(?: (?:FROM|TO))?)[^,]{0,400}?(?::|,) ?host:? "
            rf"{_HOST}(?: ?[\[(]{_IP}[\])])?(?::\d+)?:?(?: reason:)? (?P<answer>.*)$",
        ),
        (
            "error from remote",
            r"error from remote (?:mail ?(?:server|er)|server)(?: after (?P<command>[A-Za-z]{4}(?: (?:FROM|TO|content))?"
            rf"|initial connection|end of data))?[^:]{{0,80}}: ?{_CODE_AHEAD}(?P<answer>.*)$",
        ),
        # sendmail transcript: >>> C ... <<< ANSWER
        ("<<<", r"<<< ?(?=[45]\d\d)(?P<answer>[^<]*(?:<(?!<<)[^<]*){0,200})(?:<<<|$)"),
        # qmail: Remote host said: ANSWER Giving up on IP.
        (
            "host said",
            r"(?:remote|mail) host (?:said|says): (?P<answer>.*?)(?: ?(?:I'm not going to try again; .{0,80})|"
            rf" ?Giving up on {_IP}|\[(?P<command>[A-Z_]{{4,12}})\])?$",
        ),
        # Exchange: Remote Server returned 'ANSWER', and HOST gave this error: ANSWER
        ("returned '", r"(?:server|host|system) (?:at \S{1,260} )?(?:\([^()]{1,60}\) )?returned ['\"]<?(?P<answer>.*?)>?['\"]?$"),
        ("returned \"", r"(?:server|host|system) (?:at \S{1,260} )?(?:\([^()]{1,60}\) )?returned \"(?P<answer>.*?)\"?$"),
        ("gave this error", rf"(?:{_HOST} )?gave this error: ?(?P<answer>.*)$"),
        ("rejected your message", rf"rejected your message to .{{1,300}}? (?:giving|with) .{{0,20}}error: ?{_CODE_AHEAD}(?P<answer>.*)$"),
        (" -> ", rf"^.*? -> {_CODE_AHEAD}(?P<answer>.*)$"),
        ("responded with", rf"responded with:? {_CODE_AHEAD}['\"]?(?P<answer>.*?)['\"]?$"),
        ("responded with", r"responded with: ['\"](?P<answer>[245]\d\d[^\"]*)[\"']"),
        # Exchange 2000/2003: <host #5.5.0 smtp;550 5.1.1 ...>
        ("smtp;", rf"<?(?:{_HOST} )?#?[45]\.\d{{1,3}}\.\d{{1,3}} (?:smtp|x-\w+); ?{_CODE_AHEAD}(?P<answer>.*?)>?$"),
        ("smtp;", rf"^[^;]{{1,200}}\bsmtp; ?{_CODE_AHEAD}(?P<answer>.*)$"),
        # Gmail
        ("response", rf"(?:the )?response (?:from the remote server )?was: ?['\"]?{_CODE_AHEAD}(?P<answer>.*?)['\"]?$"),
        ("server returned was", r"error that the other server returned was: ?['\"]?(?P<answer>.*?)['\"]?(?: \(state \d+\)\.?)?$"),
        # Domino
        (
            "protocol returned",
            rf"(?:error transferring to {_HOST}; ?)?(?:SMTP )?Protocol Returned a (?:Permanent|Transient) Error ?(?P<answer>.*)$",
        ),
        # Cisco ESA: 5.1.0 - Unknown address error 550-'ANSWER' (delivery attempts: 0)
        ("delivery attempts", r"(?P<code>[45]\d\d)-['\"](?P<answer>.*?)['\"] \(delivery attempts: \d+\)"),
        # Stalwart
        (
            "rejected command",
            rf"\(?host '{_HOST}' rejected command '(?P<command>[A-Z]{{4,8}})[^']{{0,300}}' with code (?P<code>\d{{3}}) "
            r"\((?P<status>[\d.]{5,9})\) '(?P<answer>.*)'\)?$",
        ),
        # PowerMTA, hMailServer, Oracle MTA and whoever else announces an answer
        ("last transfail", rf"last transfail: ?{_CODE_AHEAD}(?P<answer>.*?)\)?$"),
        ("replied", rf"\breplied:? ?['\"]?{_CODE_AHEAD}(?P<answer>.*?)['\"]?$"),
        ("said", rf"\b(?:said|says):? ?['\"]?{_CODE_AHEAD}(?P<answer>.*?)['\"]?$"),
        ("reply", rf"\breply(?: was)?: ?['\"]?{_CODE_AHEAD}(?P<answer>.*?)['\"]?$"),
        ("server returned", rf"server returned:? ?['\"]?{_CODE_AHEAD}(?P<answer>.*?)['\"]?$"),
    )
)  # fmt: skip


def unwrap(line: str, lower: str) -> tuple[str, list[Frame]]:
    """Open the frames around an answer, outermost first."""
    frames: list[Frame] = []
    present = [pattern for trigger, pattern in _FRAMES if trigger in lower]
    while present and len(frames) < MAX_FRAMES:
        found = [match for pattern in present if (match := pattern.search(line)) and match["answer"].strip(" '\"")]
        if not found:
            break
        outer = min(found, key=lambda match: match.start())
        groups = outer.groupdict()
        code = groups.get("code")
        start, end = outer.span("answer")
        frames.append(
            Frame(
                words=" ".join(filter(None, (line[: outer.start("answer")].strip(), line[end:].strip()))),
                host=groups.get("host"),
                ip=groups.get("ip"),
                command=groups.get("command"),
                code=int(code) if code else None,
                status=groups.get("status"),
            )
        )
        line = line[start:end].strip()
        if typed := _TYPED.match(line):
            line = line[typed.end() :]
        if continued := _CONTINUED.match(line):
            line = _join_lines(line, continued)
    return line, frames


_SENDER_TESTED = (
    "sender verify failed",
    "sender verification",
    "sender callout",
    "sender verify callout",
    "sender address rejected",
    "verify sender",
    "sender address verification",
    "sender address could not be verified",
    "sender is not verified",
)


def tests_sender(lower: str) -> bool:
    """Whether the words say that the sender's own address was tested."""
    return "send" in lower and any(words in lower for words in _SENDER_TESTED)


# --- codes ----------------------------------------------------------------------------------------------

_STATUS = r"[245]\.\d{1,3}\.\d{1,3}"
_LEADING = re.compile(
    rf"[\s<\[\"'(#*]*(?:(?P<code>[45]\d\d|2\d\d(?=[ \-]))(?![\d/])"
    rf"|(?P<glued>[245]\d\d)(?={_STATUS}(?!\.?\d)))"
    rf"(?:\.[0-5]\d(?=\)))?"
    rf"[\s\-.,:;#(\[<\"']{{0,6}}(?P<status>{_STATUS})?(?!\.?\d)[\s:)\]>\-]*"
)
_STATUS_FIRST = re.compile(rf"[\s<\[\"'(#]*(?P<status>{_STATUS})(?!\.?\d)[\s:)\]>\-,]*")
_ANNOUNCED = re.compile(
    rf"(?:^|[\s:;'\"(\[<#>,])(?P<code>[45]\d\d)(?:[ \-#]{{1,3}}|\.)(?P<status>{_STATUS})(?!\.?\d)"
    rf"|(?:error|code|reply|response|reason|status|returned|with|smtp)[:=]?\s?#?['\"(]?(?P<named>[45][0-5]\d)(?=[\s\-:;'\")\],.]|$)(?!\.\d)"
    rf"|(?:^|[:;'\"(\[>]\s?)#?(?P<punctuated>[45][0-5]\d)(?:\.[0-5]\d)?(?=[ \-][A-Za-z<'\"(\[#]|[)\]'\"])"
    r"(?![ \-](?:bytes|octets|[kmg]i?b\b|chars|characters|lines|messages|recipients|seconds|minutes|hours|days|times|of\b))",
    re.IGNORECASE,
)
_MARKED_STATUS = re.compile(rf"(?:#|\(|\[|code[:= ]|status[:= ]|error[:= ])\s?(?P<status>{_STATUS})(?!\.?\d)", re.IGNORECASE)
_FREE_STATUS = re.compile(rf"(?:^|(?<=[\s:;,'\"<]))(?<!version )(?P<status>[45]\.\d\.\d{{1,3}})(?=[\s:;,'\")<>]|\.?$|\.\s)")


def codes(answer: str) -> tuple[int | None, str | None, str]:
    """The reply code (RFC 5321 section 4.2), the enhanced status (RFC 3463), and the text without them."""
    if leading := _LEADING.match(answer):
        found = leading["code"] or leading["glued"]
        code, status, rest = int(found), leading["status"], answer[leading.end() :]
        if (again := _LEADING.match(rest)) and (again["status"] or status is None):
            # A server that repeats the code of the server behind it: `550 5.7.1 550 5.1.1 ...`.
            code, status, rest = int(again["code"] or again["glued"]), again["status"], rest[again.end() :]
        if status is None:
            status = _status_in(rest, found[0])
        return code, status, rest.strip() or answer
    if leading := _STATUS_FIRST.match(answer):
        status, rest = leading["status"], answer[leading.end() :]
        announced = _ANNOUNCED.search(rest)
        return (_code_of(announced) if announced else None), status, rest.strip() or answer
    if announced := _ANNOUNCED.search(answer):
        code = _code_of(announced)
        return code, announced["status"] or _status_in(answer, str(code)[0]), answer
    return None, _status_in(answer, None), answer


def _code_of(match: re.Match[str]) -> int | None:
    found = match["code"] or match["named"] or match["punctuated"]
    return int(found) if found else None


def _status_in(text: str, digit: str | None) -> str | None:
    """A status that stands elsewhere in the text; without a mark it must be of the reply code's class."""
    if "." not in text:
        return None
    if marked := _MARKED_STATUS.search(text):
        return marked["status"]
    for free in _FREE_STATUS.finditer(text):
        if digit in (None, free["status"][0]):
            return free["status"]
    return None


# --- command and times ----------------------------------------------------------------------------------

_COMMANDS = (
    ("initial connection", "CONNECT"),
    ("connect", "CONNECT"),
    ("ehlo", "EHLO"),
    ("helo", "EHLO"),
    ("lhlo", "EHLO"),
    ("starttls", "STARTTLS"),
    ("auth", "AUTH"),
    ("mail", "MAIL"),
    ("rcpt", "RCPT"),
    ("end of data", "BODY"),
    ("end-of-data", "BODY"),
    ("text", "BODY"),
    ("body", "BODY"),
    ("content", "BODY"),
    ("message", "BODY"),
    ("data", "DATA"),
    ("bdat", "BODY"),
    ("quit", "QUIT"),
)
_SAID_AFTER = re.compile(
    r"in reply to ((?:end of )?[A-Z][A-Z ]{2,20}?) command|\bafter ((?:end of data|initial connection|[A-Z]{4})\b)"
    r"|>>> ([A-Z]{4})\b|\[((?:RCPT_TO|MAIL_FROM|DATA|EHLO|CONNECT))\]|\(state (\d{1,2})\)"
)
# Gmail's numbers for the step of the session.
_STATES = {"6": "STARTTLS", "8": "AUTH", "9": "MAIL", "12": "MAIL", "13": "RCPT", "14": "RCPT", "15": "DATA", "17": "BODY", "18": "BODY"}  # fmt: skip


def command_name(words: str) -> str | None:
    """The one word for an SMTP command, of whatever a log or a notice calls it."""
    lower = words.lower().lstrip()
    if lower.startswith("pipelined "):
        lower = lower[len("pipelined ") :]
    return next((name for start, name in _COMMANDS if lower.startswith(start)), None)


def said_after(line: str) -> str | None:
    """The SMTP command that a text says was answered."""
    match = _SAID_AFTER.search(line)
    if not match:
        return None
    if match[5]:
        return _STATES.get(match[5])
    return command_name(next(group for group in match.groups() if group))


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_RETRY_AFTER = re.compile(
    r"(?:again|retry|retrying|wait|back|resend|reconnect|come back|greylist\w*)\b[^.;0-9]{0,40}?"
    r"(?P<number>\d{1,6}) ?(?P<unit>s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)\b"
    r"|(?:again|retry|wait)[^.;0-9]{0,30}?\b(?P<clock>\d{1,2}:\d{2}:\d{2})\b"
    r"|(?:retry|again|wait)[^.;]{0,30}?\bpt?(?P<iso>(?:\d{1,4}[hms]){1,3})\b"
    r"|(?:again|retry|wait)[^.;0-9]{0,20}?\b(?P<article>an?|one) (?P<named>second|minute|hour|day)\b"
    r"|(?:delayed|deferred|greylisted|graylisted) for (?P<held>\d{1,6}) ?(?P<held_unit>s|sec|seconds?|m|min|minutes?|h|hours?)\b"
    r"|retry[-_ ]?(?:after|in|time)?[=:] ?(?P<plain>\d{1,6})\b"
)


def retry_after(lower: str) -> int | None:
    """The time after which the text says to try again, in seconds."""
    if not ("again" in lower or "retry" in lower or "wait" in lower or "list" in lower or " for " in lower or "back" in lower):
        return None
    match = _RETRY_AFTER.search(lower)
    if not match:
        return None
    if match["number"]:
        return int(match["number"]) * _UNITS[match["unit"][0]]
    if match["clock"]:
        hours, minutes, seconds = (int(part) for part in match["clock"].split(":"))
        return hours * 3600 + minutes * 60 + seconds
    if match["iso"]:
        return sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)([hms])", match["iso"]))
    if match["article"]:
        return _UNITS[match["named"][0]]
    if match["held"]:
        return int(match["held"]) * _UNITS[match["held_unit"][0]]
    return int(match["plain"])


_EXPIRED = (
    "retry timeout exceeded",
    "retry time not reached for any host after a long failure period",
    "message expired",
    "envelope expired",
    "queue too long",
    "in the queue too long",
    "message timeout",
    "timed out while in queue",
    "delivery time expired",
    "retries exceeded",
    "retry limit exceeded",
    "too many retries",
    "maximum retries",
    "giving up after",
    "bounce-queue",
    "could not be delivered for",
    "delivery expired",
    "message is too old",
    "has been in queue",
)
