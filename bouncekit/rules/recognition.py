"""Who receives, and who speaks: a provider is recognised by remote host, recipient domain, or its own text."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable

import attrs

from bouncekit.rules.table import Table, TableKind

__all__ = ["Recognised", "Recogniser"]


@attrs.frozen
class Recognised:
    """What is known of the two ends of an answer."""

    receiver: Table | None = None
    """The recipient's provider."""
    host: Table | None = None
    """The table that the remote host belongs to."""
    speaking: frozenset[str] = frozenset()
    """The ids of the tables whose rules count as the provider's own."""


class Recogniser:
    """Finds tables by host and domain. Built once for a rule set; never changes."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self._by_domain: dict[str, Table] = {}
        self._by_host: dict[str, Table] = {}
        self._by_suffix: dict[str, Table] = {}
        self._globs: list[tuple[int, re.Pattern[str], Table]] = []
        self._by_id: dict[str, Table] = {}
        for table in tables:
            self._by_id.setdefault(table.id, table)
            for domain in table.domains:
                self._by_domain.setdefault(domain, table)
            for glob in table.mx:
                if glob.startswith("*.") and not _is_glob(glob[2:]):
                    self._by_suffix.setdefault(glob[2:], table)
                elif _is_glob(glob):
                    self._globs.append((len(glob), re.compile(fnmatch.translate(glob)), table))
                else:
                    self._by_host.setdefault(glob, table)
        self._globs.sort(key=lambda row: -row[0])

    def by_host(self, host: str) -> Table | None:
        """The table that a remote host belongs to: the longest glob that fits it."""
        host = host.strip("[]. ").lower()
        if found := self._by_host.get(host):
            return found
        suffix = host
        while "." in suffix:
            suffix = suffix.partition(".")[2]
            if found := self._by_suffix.get(suffix):
                break
        else:
            suffix = ""
        for length, pattern, table in self._globs:
            if length <= len(suffix) + 2:
                break
            if pattern.match(host):
                return table
        return found if suffix else None

    def by_domain(self, address: str) -> Table | None:
        """The table of a recipient's domain."""
        return self._by_domain.get(address.rpartition("@")[2].strip("<>. ").lower())

    def recognise(
        self, host: str | None, recipient: str | None, in_text: Iterable[Table] = ()
    ) -> Recognised:
        """Put together what host, recipient and text say.

        A gateway or a smart host is never the recipient's provider, whatever its name says.

        :param in_text: the tables whose fingerprints stand in the text, in the order of their ids.
        """
        at_host = self.by_host(host) if host else None
        at_domain = self.by_domain(recipient) if recipient else None
        of_text = [table for table in in_text if table.kind is TableKind.PROVIDER]
        candidates = (at_host, at_domain, *of_text)
        receiver = next(
            (table for table in candidates if table and table.kind is TableKind.PROVIDER), None
        )
        domain = recipient.rpartition("@")[2].strip("<>. ").lower() if recipient else ""
        speaking: set[str] = set()
        for table in candidates:
            if table:
                speaking.add(table.id)
                speaking.update(
                    hosting.provider
                    for hosting in table.hosted_by
                    if not hosting.domains or domain in hosting.domains
                )
        return Recognised(receiver=receiver, host=at_host, speaking=frozenset(speaking))

    def table(self, table_id: str) -> Table | None:
        """The table of an id."""
        return self._by_id.get(table_id)


def _is_glob(text: str) -> bool:
    return any(char in text for char in "*?[")
