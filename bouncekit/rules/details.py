"""What a reply names besides its cause: IPs, URLs, limits, references, a new address."""

from __future__ import annotations

import ipaddress
import re

from bouncekit.model import Cause, Details, Limit

__all__ = ["details_of"]

_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")
_URL = re.compile(r"https?://[^\s<>\"'\]\[{}|\\^`]+", re.IGNORECASE)
_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_DOMAIN = re.compile(
    r"(?<![\w@.-])(?:[A-Za-z0-9](?:[\w-]{0,61}[A-Za-z0-9])?\.){1,8}[a-z]{2,24}(?![\w@-]|\.\w)"
)
_LIMIT = re.compile(
    r"(?:limit|max(?:imum)?|exceed(?:s|ed|ing)?|more than|size|only|up to|allowed)\b[^\d.;]{0,40}?"
    r"(?<![\d.])(?P<value>\d{1,15}(?:\.\d{1,3})?) ?(?P<unit>bytes|octets|[kmg]i?b|kbytes|mbytes|recipients|"
    r"messages|connections|mails|emails)\b",
    re.IGNORECASE,
)
_REFERENCE = re.compile(
    r"(?:\b(?:reference|ref|ticket|incident|case|error|request|session|log|message)[ -]?(?:id|code|number|no|#)?"
    r"\s?[:=#]\s?|\bid[:=#]\s?)(?P<reference>[A-Za-z0-9][\w.=+/-]{4,80})",
    re.IGNORECASE,
)
_UNITS = {"kb": 1 << 10, "kib": 1 << 10, "kbytes": 1 << 10, "mb": 1 << 20, "mib": 1 << 20, "mbytes": 1 << 20, "gb": 1 << 30, "gib": 1 << 30}  # fmt: skip
_MECHANISMS = {Cause.SPF_FAILED: "spf", Cause.DKIM_FAILED: "dkim", Cause.DMARC_FAILED: "dmarc"}


def details_of(text: str, cause: Cause, recipient: str | None, expired: bool) -> Details:
    """Collect what a reply names.

    :param text: the answer, as it was said.
    :param recipient: the recipient, whose own address and domain are nothing new.
    :param expired: whether time ran out (RFC 3463 X.4.7).
    """
    urls = tuple(dict.fromkeys(url.rstrip(".,;:)'") for url in _URL.findall(text))) if "://" in text else ()
    bare = _URL.sub(" ", text) if urls else text
    new_address = None
    if "@" in bare:
        if cause is Cause.RECIPIENT_MOVED:
            known = (recipient or "").lower()
            others = [a for a in _ADDRESS.findall(bare) if a.lower().rstrip(".") != known]
            new_address = others[-1].rstrip(".") if others else None
    limit = _LIMIT.search(bare)
    reference = _REFERENCE.search(bare)
    return Details(
        ips=_ips(bare),
        domains=_domains(bare, recipient),
        urls=urls,
        mechanism=_MECHANISMS.get(cause),
        limit=_limit(limit) if limit else None,
        reference=reference["reference"].rstrip(".") if reference else None,
        new_address=new_address,
        expired=expired,
    )


def _ips(text: str) -> tuple[str, ...]:
    found = _IPV4.findall(text) if "." in text else []
    if text.count(":") > 1:
        found += _IPV6.findall(text)
    return tuple(dict.fromkeys(candidate for candidate in found if _is_ip(candidate)))


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _domains(text: str, recipient: str | None) -> tuple[str, ...]:
    own = (recipient or "").rpartition("@")[2].lower()
    found = (match.lower() for match in _DOMAIN.findall(text)) if "." in text else ()
    return tuple(dict.fromkeys(domain for domain in found if domain != own))


def _limit(match: re.Match[str]) -> Limit:
    unit = match["unit"].lower()
    value = float(match["value"])
    if unit in _UNITS:
        return Limit(int(value * _UNITS[unit]), "bytes")
    return Limit(int(value), "bytes" if unit in ("octets", "bytes") else unit)
