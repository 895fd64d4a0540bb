"""Fields of delivery-status parts (RFC 3464 section 2), as they are found: folded in every way, misspelt, bare."""

from __future__ import annotations

import email.utils
import re
from datetime import datetime, timezone

__all__ = ["Group", "address_field", "date_field", "groups_of", "host_field", "typed_field"]

Group = dict[str, str]
"""The fields of one block, names in lower case; the first of each name counts, later ones follow on a new line."""

_KNOWN = frozenset(
    {
        "original-envelope-id", "reporting-mta", "dsn-gateway", "received-from-mta", "arrival-date",
        "original-recipient", "final-recipient", "action", "status", "remote-mta", "diagnostic-code",
        "last-attempt-date", "final-log-id", "will-retry-until", "localized-diagnostic", "remote-recipient",
        "content-type", "content-description", "content-transfer-encoding", "content-disposition",
    }
)  # fmt: skip
_FIELD = re.compile(r"[ \t]{0,1}([A-Za-z][A-Za-z0-9-]{1,60})[ \t]*:(.*)", re.DOTALL)
_PER_RECIPIENT = frozenset(
    {"final-recipient", "original-recipient", "action", "status", "diagnostic-code", "remote-mta", "x-actual-recipient"}
)
_STARTS_RECIPIENT = ("final-recipient", "original-recipient")


def groups_of(text: str) -> list[Group]:
    """The blocks of a delivery-status part: the per-message one first where there is one.

    Blank lines part blocks (RFC 3464 section 2.1). A block that begins a second recipient without a blank
    line is two; a block that only goes on with fields of the recipient before it belongs to that one.
    """
    groups: list[Group] = [{}]
    last = ""
    for line in text.split("\n"):
        if not line.strip():
            if groups[-1]:
                groups.append({})
                last = ""
            continue
        match = _FIELD.match(line) if line[0] not in " \t" else None
        name = match[1].lower() if match else ""
        if match and (name in _KNOWN or name.startswith(("x-", "x400-")) or last not in ("diagnostic-code", "")):
            group = groups[-1]
            if name in group and name in _STARTS_RECIPIENT:
                groups.append(group := {})
            group[name] = f"{group[name]}\n{match[2].strip()}" if name in group else match[2].strip()
            last = name
        elif match and not last:
            groups[-1][name] = match[2].strip()
            last = name
        elif last:
            groups[-1][last] += "\n" + line.strip()
    return _joined([group for group in groups if group])


def _joined(groups: list[Group]) -> list[Group]:
    joined: list[Group] = []
    for group in groups:
        goes_on = joined and not any(name in group for name in _STARTS_RECIPIENT) and "action" not in group
        if goes_on and any(name in joined[-1] for name in _PER_RECIPIENT) and not (group.keys() & joined[-1].keys()):
            joined[-1] = joined[-1] | group
        else:
            joined.append(group)
    return joined


def typed_field(value: str) -> tuple[str | None, str]:
    """`type; value` (RFC 3464 section 2.1.2) as its two parts; the type is None where none is given."""
    kind, semicolon, rest = value.partition(";")
    if semicolon and re.fullmatch(r"\s*[A-Za-z][\w/-]{0,30}\s*", kind):
        return kind.strip().lower(), rest.strip()
    return None, value.strip()


_XTEXT = re.compile(r"\+([0-9A-F]{2})")
_HEX = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")


def address_field(value: str) -> str | None:
    """The address of a recipient field, without type, brackets, comments and xtext (RFC 3461 section 4)."""
    kind, address = typed_field(value)
    address = address.replace("\n", " ").strip()
    if kind == "utf-8" or "\\x{" in address:
        # RFC 6533 section 3: utf-8-addr-xtext and utf-8-addr-unitext.
        address = _HEX.sub(lambda match: _character(match[1]), address)
    if bracketed := re.search(r"<([^<>\s]+@?[^<>]*)>", address):
        address = bracketed[1]
    address = re.sub(r"\s*\([^()]{0,200}\)\s*$", "", address).strip().removeprefix("mailto:")
    if "+" in address and (decoded := _XTEXT.sub(lambda match: chr(int(match[1], 16)), address)) != address:
        # Only an address that stays one was xtext: user+2Btag@a is user+tag@a, and user+AB@a is itself.
        if decoded.isprintable() and decoded.isascii() and decoded.count("@") == 1 and _is_xtext(address):
            address = decoded
    return address.strip(" ,;<>") or None


def _is_xtext(address: str) -> bool:
    return all(match[1] in ("2B", "3D", "40", "20", "2D", "2E", "5F", "25", "2F", "21", "23", "26") for match in _XTEXT.finditer(address))


def _character(digits: str) -> str:
    number = int(digits, 16)
    return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else "\ufffd"


def host_field(value: str) -> str | None:
    """The host of a `dns; host` field (RFC 3464 section 2.2.2), without what is added behind it."""
    _, host = typed_field(value)
    host = host.split("\n")[0].split("(")[0].split(";")[0].strip()
    return host.split(" ")[0].strip("[]<>.,").lower() or None


def date_field(value: str) -> datetime | None:
    """A date-time (RFC 5322 section 3.3), or the forms that are seen instead of it; UTC where no zone is given."""
    value = re.sub(r"\s+", " ", value.split("\n")[0]).strip()
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        match = re.match(r"(\d{4}-\d\d-\d\d)[ T](\d\d)[:-](\d\d)[:-](\d\d)(?:\.\d+)? ?(Z|[+-]\d\d:?\d\d)?", value)
        if not match:
            return None
        try:
            moment = datetime.strptime(
                f"{match[1]} {match[2]}:{match[3]}:{match[4]} {(match[5] or '+0000').replace('Z', '+0000')}",
                "%Y-%m-%d %H:%M:%S %z",
            )
        except ValueError:
            return None
    try:
        return moment.astimezone(timezone.utc) if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    except (OverflowError, ValueError):
        return None
