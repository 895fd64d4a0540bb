"""Which of the rules that match a text decides. The order is written down here and in docs/tables.md."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from enum import IntEnum

from bouncekit.model import Basis, Confidence
from bouncekit.rules.matcher import Hit
from bouncekit.rules.recognition import Recognised
from bouncekit.rules.table import Rule, TableKind

__all__ = ["DISTINCTIVE_CHARS", "Rank", "choose", "rank_of", "stands_over"]

DISTINCTIVE_CHARS = 24
"""So many matched characters of a provider's sentence make it nobody else's."""


class Rank(IntEnum):
    """The ranks, strongest first."""

    USER = 1
    TOKEN = 2
    PROVIDER = 3
    GATEWAY = 4
    SOFTWARE = 5
    DISTINCTIVE = 6
    PHRASE = 7
    STATUS = 8
    WEAK_PHRASE = 9
    CODE = 10


_OF_KIND = {
    TableKind.GATEWAY: Rank.GATEWAY,
    TableKind.BLOCKLIST: Rank.GATEWAY,
    TableKind.SOFTWARE: Rank.SOFTWARE,
    TableKind.PHRASES: Rank.PHRASE,
}


def rank_of(hit: Hit, recognised: Recognised) -> Rank | None:
    """The rank of a rule that matched, or None where it may not speak at all."""
    table = hit.table
    speaks = table.id in recognised.speaking
    if table.user:
        has_signs = bool(table.domains or table.mx or table.fingerprints)
        return Rank.USER if speaks or not has_signs else None
    if hit.pattern.is_code_only and not speaks:
        return None
    if table.kind is TableKind.PROVIDER:
        if speaks:
            return Rank.TOKEN if hit.token else Rank.PROVIDER
        return None if recognised.speaking or hit.length < DISTINCTIVE_CHARS else Rank.DISTINCTIVE
    rank = _OF_KIND[table.kind]
    if rank is Rank.PHRASE and hit.rule.confidence is Confidence.WEAK:
        return Rank.WEAK_PHRASE
    return rank


def choose(hits: Iterable[tuple[Rank, Hit]]) -> tuple[Rank, Hit] | None:
    """The rule that decides: the best rank; inside it `over`, then the length of what matched, then order."""
    ranked = sorted(hits, key=lambda pair: pair[0])
    if not ranked:
        return None
    best = ranked[0][0]
    rivals = [hit for rank, hit in ranked if rank is best]
    if len(rivals) > 1:
        if best is Rank.USER:
            last = max(hit.pattern.order for hit in rivals)
            rivals = [hit for hit in rivals if hit.table.id == _table_at(rivals, last)]
        standing = [hit for hit in rivals if not any(stands_over(o.rule, hit.rule) for o in rivals)]
        rivals = standing or rivals
    winner = min(
        rivals,
        key=lambda hit: (
            hit.pattern.is_code_only,
            hit.rule.basis is Basis.GUESS,
            -hit.length,
            hit.pattern.order,
        ),
    )
    return best, winner


def stands_over(rule: Rule, other: Rule) -> bool:
    """Whether a rule names another in its `over`."""
    return any(
        fnmatch.fnmatchcase(other.id, name if "/" in name else f"{rule.table}/{name}")
        for name in rule.over
    )


def _table_at(rivals: Sequence[Hit], order: int) -> str:
    return next(hit.table.id for hit in rivals if hit.pattern.order == order)
