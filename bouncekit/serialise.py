"""Verdicts, deliveries and reports as plain data, for JSON and for other languages.

Every output names the version of the library and the hash of the rule set that decided.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from enum import Enum
from typing import Any

import attrs

from bouncekit._version import __version__
from bouncekit.model import Delivery, Report, Verdict

__all__ = ["as_dict", "as_json"]


def as_dict(x: Report | Delivery | Verdict) -> dict[str, Any]:
    """A verdict, delivery or report as dicts, lists, strings, numbers and None.

    :returns: one key a field, in the order of the class; enums as their values, times as RFC 3339 in UTC;
        `bouncekit` holds the version of the library and the hash of the rule set.
    :raises TypeError: for anything else.
    """
    if not isinstance(x, (Report, Delivery, Verdict)):
        raise TypeError(f"as_dict takes a Report, a Delivery or a Verdict, not {type(x).__name__}")
    rules = x.verdict.rules if isinstance(x, Delivery) else x.rules
    return {"bouncekit": {"version": __version__, "rules": rules}} | _fields(x)


def as_json(x: Report | Delivery | Verdict, *, indent: int | None = None) -> str:
    """The same as JSON text, with all that is not ASCII as it is.

    :param indent: as in `json.dumps`; None gives one line.
    """
    return json.dumps(as_dict(x), ensure_ascii=False, indent=indent)


def _fields(x: attrs.AttrsInstance) -> dict[str, Any]:
    return {
        name: _plain(getattr(x, name))
        for name in (attribute.name for attribute in attrs.fields(type(x)))
        if not (name == "rules" and isinstance(x, (Report, Verdict)))
    }


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
        return moment.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return _fields(value)
