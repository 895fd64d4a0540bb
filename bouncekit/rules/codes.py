"""What enhanced status codes (RFC 3463, the IANA registry) and reply codes (RFC 5321) say by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from bouncekit.model import Cause, Permanence, Scope

__all__ = ["Code", "Codes"]


@attrs.frozen
class Code:
    """One code of the registry."""

    cause: Cause
    scope: Scope
    specific: bool
    """Whether the code alone proves the cause."""
    permanence: Permanence | None = None
    suppress: bool = True
    alternatives: tuple[Cause, ...] = ()


class Codes:
    """The table of codes."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._status = {row["code"]: _code(row) for row in data["status"]}
        self._reply = {row["code"]: _code(row) for row in data["reply"]}
        self._exit = {row["code"]: _code(row) for row in data.get("exit", ())}

    def of_status(self, status: str | None) -> Code | None:
        """The row of an enhanced status; the class digit is left open."""
        return self._status.get("x" + status[1:]) if status else None

    def of_reply(self, code: int | None) -> Code | None:
        """The row of a reply code."""
        return self._reply.get(code) if code else None

    def of_exit(self, code: int | None) -> Code | None:
        """The row of an exit status of sysexits.h."""
        return self._exit.get(code) if code else None


def _code(row: Mapping[str, Any]) -> Code:
    return Code(
        cause=Cause(row["cause"]),
        scope=Scope(row["scope"]),
        specific=bool(row.get("specific", False)),
        permanence=Permanence(row["permanence"]) if "permanence" in row else None,
        suppress=bool(row.get("suppress", True)),
        alternatives=tuple(Cause(cause) for cause in row.get("alternatives", ())),
    )
