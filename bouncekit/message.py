"""Bytes -> MIME parts.

flanker reads the structure; where it refuses or misreads, the standard library's parser is the second
reader, and the message says which one it was. Before that, bouncekit itself makes lines end with LF, takes
an mbox line off and cuts returned originals down to their headers, so that nobody parses what nobody needs.
What is cut is said in `notes`. Nothing here raises for any bytes.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import email
import email.header
import email.message
import email.errors
import email.policy
import functools
import logging
import quopri
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

__all__ = [
    "MAX_DEPTH",
    "MAX_MESSAGE_BYTES",
    "MAX_PARTS",
    "Message",
    "Part",
    "decoded_header",
    "parse_headers",
    "read",
]

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""How many bytes of a message are looked at."""
MAX_HEADER_BYTES = 256 * 1024
"""How many bytes of one block of headers are kept."""
MAX_TEXT_BYTES = 1024 * 1024
"""How many bytes of one text are decoded."""
MAX_DEPTH = 20
"""How many parts may stand inside one another."""
MAX_PARTS = 500
"""How many parts are read."""

Headers = tuple[tuple[str, str], ...]


@attrs.frozen
class Part:
    """One MIME part: its headers as they stand (unfolded), and its body as it was transferred."""

    content_type: str
    parameters: Mapping[str, str]
    headers: Headers
    body: bytes
    parts: tuple[Part, ...] = ()
    """The parts of a multipart; the one message inside a message/rfc822."""

    def header(self, name: str) -> str | None:
        """The first header of that name, decoded (RFC 2047)."""
        return next((decoded_header(value) for key, value in self.headers if key.lower() == name), None)

    def header_all(self, name: str) -> tuple[str, ...]:
        """All headers of that name, decoded."""
        return tuple(decoded_header(value) for key, value in self.headers if key.lower() == name)

    def content(self) -> bytes:
        """The body with its transfer encoding undone (RFC 2045 section 6), as far as it can be."""
        encoding = (self.header("content-transfer-encoding") or "").strip().lower()
        return _transfer_decoded(self.body[:MAX_TEXT_BYTES], encoding)

    def text(self) -> str:
        """The body as text: by its charset, else by what its bytes look like."""
        return decoded_text(self.content(), self.parameters.get("charset"))

    def walk(self) -> Iterator[Part]:
        """This part and all parts inside it, in the order of the message, without enclosed messages."""
        yield self
        if not self.content_type.startswith("message/"):
            for part in self.parts:
                yield from part.walk()


@attrs.frozen
class Message:
    """A message's parts, who read them, and what was wrong with them."""

    root: Part
    reader: str
    notes: tuple[str, ...] = ()


def read(data: bytes) -> Message:
    """Read a message.

    :param data: the message, with any line ends, with or without an mbox `From ` line.
    """
    notes: list[str] = []
    if len(data) > MAX_MESSAGE_BYTES:
        notes.append(f"message cut at {MAX_MESSAGE_BYTES} bytes")
        data = data[:MAX_MESSAGE_BYTES]
    data = _with_plain_lines(data)
    skeleton, originals = cut(data)
    try:
        root = _read_with_flanker(skeleton, originals)
        return Message(root, "flanker", tuple(notes))
    except _Refused as refusal:
        notes.append(f"read by the standard library's parser: {refusal}")
    return Message(_read_with_email(skeleton, originals), "email", tuple(notes))


# --- lines and cuts -------------------------------------------------------------------------------------


def _with_plain_lines(data: bytes) -> bytes:
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if data[:1] in (b"\n", b" ", b"\t", b"\xef"):
        data = data.removeprefix(b"\xef\xbb\xbf").lstrip(b"\n \t")
    while data.startswith((b"From ", b">From ")) and b"\n" in data:
        data = data.partition(b"\n")[2]
    return data


_CONTENT_TYPE = re.compile(rb"^content-type[ \t]*:[ \t]*([^\n]*(?:\n[ \t][^\n]*)*)", re.IGNORECASE | re.MULTILINE)
_BOUNDARY = re.compile(rb"boundary\s*=\s*(?:\"([^\"]{1,200})\"|([^\s;\"]{1,200}))", re.IGNORECASE)
_ENCODED = re.compile(rb"^content-transfer-encoding[ \t]*:[ \t]*(base64|quoted-printable)", re.IGNORECASE | re.MULTILINE)
_RETURNED = (
    b"message/rfc822",
    b"message/global",
    b"text/rfc822-headers",
    b"text/rfc822-header",
    b"message/rfc822-headers",
    b"message/global-headers",
)
_STATUS_TYPES = (b"delivery-status", b"feedback-report", b"disposition-notification")


def cut(data: bytes) -> tuple[bytes, list[tuple[int, bytes]]]:
    """Take returned originals out of a report, keeping their headers.

    :returns: the message without them, and for each where its body stood and its block of headers.
    """
    head_end = data.find(b"\n\n")
    if head_end < 0:
        return data, []
    typed = _CONTENT_TYPE.search(data[: min(head_end, MAX_HEADER_BYTES)])
    if not typed or not typed[1].lower().startswith(b"multipart/"):
        return data, []
    boundary = _BOUNDARY.search(typed[1])
    if not boundary:
        return data, []
    delimiter = b"\n--" + (boundary[1] or boundary[2])
    parts = _positions(data, delimiter, head_end)
    blocks = []
    for begin, end in parts:
        start = data.find(b"\n", begin + len(delimiter)) + 1
        stop = data.find(b"\n\n", start - 1, end)
        if 0 < start <= stop or stop == start - 1:
            of_part = _CONTENT_TYPE.search(data[start : min(stop, start + MAX_HEADER_BYTES)])
            name = of_part[1].split(b";")[0].strip().lower() if of_part else b""
            blocks.append((name, start, stop + 2, end))
    if not any(name.endswith(_STATUS_TYPES) for name, *_ in blocks):
        return data, []
    kept, originals, last, length = [], [], 0, 0
    for name, start, body, end in blocks:
        if name not in _RETURNED or body >= end:
            continue
        encoded = _ENCODED.search(data[start:body])
        original = data[body : min(end, body + MAX_HEADER_BYTES)]
        if encoded:
            original = _transfer_decoded(original, encoded[1].decode().lower())
        kept.append(data[last:body])
        length += body - last
        originals.append((length, _header_block(original)))
        last = end
    kept.append(data[last:])
    return b"".join(kept), originals


def _positions(data: bytes, delimiter: bytes, start: int) -> list[tuple[int, int]]:
    """Where the parts of a multipart begin and end."""
    found: list[int] = []
    position = data.find(delimiter, start)
    while position >= 0 and len(found) <= MAX_PARTS:
        found.append(position)
        if data.startswith(b"--", position + len(delimiter)):
            break
        position = data.find(delimiter, position + len(delimiter))
    if found and not data.startswith(b"--", found[-1] + len(delimiter)):
        found.append(len(data))
    return list(zip(found, found[1:], strict=False))


def _header_block(original: bytes) -> bytes:
    original = original.lstrip(b"\n")
    while original.startswith((b"From ", b">From ")):
        original = original.partition(b"\n")[2]
    return original.partition(b"\n\n")[0] + b"\n"


# --- the first reader -----------------------------------------------------------------------------------


class _Refused(Exception):
    """flanker does not read this message, or reads less than there is."""


@functools.cache
def _flanker() -> tuple[Any, type[Exception]]:
    """flanker, loaded when it is first needed, without the warnings that its import gives."""
    grammar_log = logging.getLogger("flanker.addresslib._parser.parser")
    level = grammar_log.level
    grammar_log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # It imports modules that Python is about to drop, or their back-ports, which say so.
            warnings.simplefilter("ignore")
            from flanker.mime.message import errors, scanner
    finally:
        grammar_log.setLevel(level)
    return scanner, errors.MimeError


def _scan(text: str) -> Any:
    scanner, mime_error = _flanker()
    try:
        return scanner.scan(text)
    except mime_error as error:
        raise _Refused(str(error) or type(error).__name__) from error
    except RecursionError as error:
        raise _Refused("too many parts inside one another") from error


def _read_with_flanker(data: bytes, originals: list[tuple[int, bytes]]) -> Part:
    # Latin-1 keeps one character a byte, so that flanker's offsets are offsets in the bytes.
    scanned = _scan(data.decode("latin-1"))
    return _Converter(data, originals).convert(scanned, 0)


class _Converter:
    """Turns flanker's tree into parts, putting the returned originals back."""

    def __init__(self, data: bytes, originals: list[tuple[int, bytes]]) -> None:
        self._data, self._originals, self._count = data, originals, 0

    def convert(self, scanned: Any, depth: int) -> Part:
        self._count += 1
        if scanned is None:
            raise _Refused("a part of a type that flanker does not know")
        if depth > MAX_DEPTH or self._count > MAX_PARTS:
            raise _Refused("too many parts")
        stream = scanned._container
        start, end = stream.start, stream.end + 1
        raw = self._data[start:end]
        header_text, _, body = (raw[1:] if raw[:1] == b"\n" else b"") and (b"", b"", raw[1:]) or _split(raw)
        headers = parse_headers(header_text)
        content_type, parameters = _content_type(headers)
        children = tuple(self.convert(part, depth + 1) for part in scanned.parts)
        for position, block in self._originals:
            if start <= position <= end and not children:
                children = (_original(block),)
        if not children and scanned.enclosed is not None and content_type.startswith("message/"):
            children = (self.convert(scanned.enclosed, depth + 1),)
        return Part(content_type, parameters, headers, body, children)


def _split(raw: bytes) -> tuple[bytes, bytes, bytes]:
    return raw.partition(b"\n\n") if b"\n\n" in raw else (raw, b"", b"") if _looks_like_headers(raw) else (b"", b"", raw)


def _looks_like_headers(raw: bytes) -> bool:
    return re.match(rb"[\w-]+[ \t]*:", raw) is not None


def _original(block: bytes) -> Part:
    headers = parse_headers(block)
    content_type, parameters = _content_type(headers)
    return Part(content_type, parameters, headers, b"")


# --- the second reader ----------------------------------------------------------------------------------


def _read_with_email(data: bytes, originals: list[tuple[int, bytes]]) -> Part:
    message = email.message_from_bytes(data, policy=email.policy.compat32)
    blocks = iter(originals)

    def convert(part: email.message.Message, depth: int) -> Part:
        headers = tuple(
            (name, _unfolded(str(value).encode("ascii", "surrogateescape"))) for name, value in part.raw_items()
        )
        content_type, parameters = _content_type(headers)
        payload = part.get_payload()
        if isinstance(payload, list):
            if content_type.encode() in _RETURNED and (block := next(blocks, None)):
                return Part(content_type, parameters, headers, b"", (_original(block[1]),))
            if not content_type.startswith(("multipart/", "message/")):
                # The parser makes a list of message/* whatever it is called; keep such a part's words.
                content_type = "multipart/mixed"
            if content_type.endswith("delivery-status"):
                body = b"\n".join(_as_bytes(str(child)) for child in payload)
                return Part(content_type, parameters, headers, body)
            inside = payload[:MAX_PARTS] if depth < MAX_DEPTH else []
            return Part(
                content_type, parameters, headers, b"", tuple(convert(child, depth + 1) for child in inside)
            )
        if content_type.encode() in _RETURNED and (block := next(blocks, None)):
            return Part(content_type, parameters, headers, b"", (_original(block[1]),))
        return Part(content_type, parameters, headers, _as_bytes(str(payload or "")))

    try:
        return convert(message, 0)
    except (RecursionError, LookupError, ValueError, TypeError, AttributeError):
        head, _, body = data.partition(b"\n\n")
        return Part("text/plain", {}, parse_headers(head), body)


def _as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


# --- headers --------------------------------------------------------------------------------------------

_HEADER = re.compile(rb"([!-9;-~]{1,200})[ \t]*:[ \t]?(.*)")


def parse_headers(block: bytes) -> Headers:
    """The headers of a block (RFC 5322 section 2.2), unfolded; lines that are none are passed over."""
    headers: list[tuple[str, bytearray]] = []
    for line in block[:MAX_HEADER_BYTES].split(b"\n"):
        if line[:1] in (b" ", b"\t"):
            if headers:
                headers[-1][1].extend(b"\n" + line)
        elif match := _HEADER.match(line):
            headers.append((match[1].decode("ascii"), bytearray(match[2])))
    return tuple((name, _unfolded(bytes(value))) for name, value in headers)


def _unfolded(value: bytes) -> str:
    value = re.sub(rb"\n[ \t]+", b" ", value).strip()
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def decoded_header(value: str) -> str:
    """A header's value with its encoded words decoded (RFC 2047); what cannot be decoded stays."""
    if "=?" not in value:
        return value
    try:
        pieces = email.header.decode_header(value)
    except (ValueError, LookupError, binascii.Error, email.errors.HeaderParseError):
        return value
    return "".join(
        piece if isinstance(piece, str) else decoded_text(piece, charset) for piece, charset in pieces
    )


_PARAMETER = re.compile(r";\s*([\w*-]+)\s*=\s*(?:\"((?:[^\"\\]|\\.){0,1000})\"|([^\s;\"]{1,1000}))")


def _content_type(headers: Headers) -> tuple[str, dict[str, str]]:
    value = next((value for name, value in headers if name.lower() == "content-type"), "text/plain")
    value = re.sub(r"\([^()]{0,200}\)", "", value)
    name = value.partition(";")[0].strip().strip("\"'").lower()
    parameters = {
        key.lower(): re.sub(r"\\(.)", r"\1", quoted) or plain
        for key, quoted, plain in _PARAMETER.findall(value)
    }
    return (name if "/" in name else "text/plain"), parameters


# --- bodies ---------------------------------------------------------------------------------------------


def _transfer_decoded(body: bytes, encoding: str) -> bytes:
    if encoding == "base64":
        plain = re.sub(rb"[^A-Za-z0-9+/]", b"", body)
        try:
            return base64.b64decode(plain[: len(plain) // 4 * 4] + _last_quantum(plain))
        except (binascii.Error, ValueError):
            return body
    if encoding == "quoted-printable":
        return quopri.decodestring(body)
    return body


def _last_quantum(plain: bytes) -> bytes:
    rest = plain[len(plain) // 4 * 4 :]
    return rest + b"=" * (4 - len(rest)) if len(rest) > 1 else b""


def decoded_text(content: bytes, charset: str | None) -> str:
    """Bytes as text: by the charset that is stated where it fits, else by what the bytes look like."""
    if content.isascii():
        if b"\x1b$" in content or b"\x1b(" in content:
            return content.decode("iso2022_jp_3", "replace")
        return content.decode("ascii")
    for name in filter(None, (_known(charset), "utf-8")):
        try:
            return content.decode(name)
        except (UnicodeError, LookupError):
            continue
    import chardet  # costs 30 ms, and few texts come here

    guessed = _known(chardet.detect(content[:4096]).get("encoding"))
    return content.decode(guessed or "cp1252", "replace")


def _known(charset: str | None) -> str | None:
    """The name of a charset that Python decodes to text, or None."""
    if not charset or charset.lower().strip("\"'") in ("us-ascii", "ascii", "unknown-8bit", "x-unknown", "8bit"):
        return None
    try:
        codec = codecs.lookup(charset.strip("\"' ").removeprefix("x-"))
    except (LookupError, ValueError, UnicodeError):
        return None
    return codec.name if codec._is_text_encoding else None
