"""Finds the rules that match a text: one scan for literals picks candidates, conditions confirm them.

Every rule hangs on a literal (its longest phrase, or each of its any_phrases, or its token) or on a code, so
that the cost of a text does not grow with the number of rules. The same scan finds the fingerprints of
providers and block lists, and the words that speak against a dead address.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import ahocorasick_rs
import attrs
import regex

from bouncekit.reply import Reply, fold
from bouncekit.rules.table import Rule, Table, token_literals

__all__ = ["EXPRESSION_SECONDS", "Hit", "Matcher", "Scan"]

EXPRESSION_SECONDS = 0.05
"""How long one expression of a table may run on one text."""


@attrs.frozen(eq=False)
class Pattern:
    """A rule made ready for matching: phrases folded, expressions compiled."""

    rule: Rule
    table: Table
    order: int
    phrases: tuple[str, ...]
    any_phrases: tuple[str, ...]
    unless_phrases: tuple[str, ...]
    expression: regex.Pattern[str] | None
    token: regex.Pattern[str] | None
    token_needed: bool
    statuses: tuple[str, ...]

    @property
    def is_code_only(self) -> bool:
        return not (self.phrases or self.any_phrases or self.token_needed)


@attrs.frozen(eq=False)
class Hit:
    """A rule that matched, and where."""

    pattern: Pattern
    spans: tuple[tuple[int, int], ...]
    """Spans of the matched phrases in the folded text."""
    token: str | None
    notes: tuple[str, ...] = ()

    @property
    def rule(self) -> Rule:
        return self.pattern.rule

    @property
    def table(self) -> Table:
        return self.pattern.table

    @property
    def length(self) -> int:
        return sum(end - start for start, end in self.spans)


@attrs.frozen(eq=False)
class Scan:
    """What one pass over a folded text found."""

    text: str
    candidates: tuple[int, ...]
    fingerprints: tuple[Table, ...]
    doubts: tuple[tuple[int, int], ...]
    """Spans of the words that speak against a dead address."""


class Matcher:
    """The literals and rules of a rule set. Built once; never changes; safe between threads."""

    def __init__(self, tables: Sequence[Table], doubts: Iterable[str]) -> None:
        self._patterns: list[Pattern] = []
        self._code_only: dict[str, list[Pattern]] = defaultdict(list)
        rules_of: dict[str, list[int]] = defaultdict(list)
        tables_of: dict[str, list[Table]] = defaultdict(list)
        for table in tables:
            for fingerprint in table.fingerprints:
                tables_of[fold(fingerprint)].append(table)
            for rule in table.rules:
                pattern = _ready(rule, table, len(self._patterns))
                self._patterns.append(pattern)
                if pattern.is_code_only:
                    self._code_only[table.id].append(pattern)
                for literal in _anchors(pattern):
                    rules_of[literal].append(pattern.order)
        words = {fold(word) for word in doubts}
        literals = sorted({*rules_of, *tables_of, *words})
        self._rules_at = [tuple(rules_of.get(literal, ())) for literal in literals]
        self._tables_at = [tuple(tables_of.get(literal, ())) for literal in literals]
        self._doubt_at = [literal in words for literal in literals]
        self._bounded_at = [_starts_word(literal) for literal in literals]
        self._automaton = ahocorasick_rs.AhoCorasick(literals, store_patterns=False) if literals else None

    def scan(self, folded: str) -> Scan:
        """Find all literals in a folded text."""
        candidates: dict[int, None] = {}
        tables: dict[str, Table] = {}
        doubts: list[tuple[int, int]] = []
        if self._automaton is not None:
            for literal, start, end in self._automaton.find_matches_as_indexes(folded, overlapping=True):
                if start and self._bounded_at[literal] and _in_word(folded, start):
                    continue
                for order in self._rules_at[literal]:
                    candidates[order] = None
                for table in self._tables_at[literal]:
                    tables[table.id] = table
                if self._doubt_at[literal]:
                    doubts.append((start, end))
        return Scan(
            text=folded,
            candidates=tuple(sorted(candidates)),
            fingerprints=tuple(tables[name] for name in sorted(tables)),
            doubts=tuple(doubts),
        )

    def patterns(self, scan: Scan, speaking: Iterable[str]) -> Iterator[Pattern]:
        """The rules worth a try: those whose literal was found, and those that hang on a code alone."""
        for order in scan.candidates:
            yield self._patterns[order]
        for table in sorted(speaking):
            yield from self._code_only.get(table, ())

    @property
    def code_only_tables(self) -> frozenset[str]:
        """The ids of the tables with rules that hang on a code alone."""
        return frozenset(self._code_only)


def confirm(pattern: Pattern, reply: Reply, status: str | None, scan: Scan) -> Hit | None:
    """Try all conditions of one rule.

    :param status: the enhanced status that counts, of the reply or of the notice.
    """
    rule, text = pattern.rule, scan.text
    if rule.reply_codes and reply.code not in rule.reply_codes:
        return None
    if pattern.statuses and not (status and _status_fits(pattern.statuses, status)):
        return None
    if rule.command and reply.command and reply.command not in rule.command:
        return None
    spans = []
    for phrase in pattern.phrases:
        span = find(phrase, text)
        if span is None:
            return None
        spans.append(span)
    if pattern.any_phrases:
        found = [span for phrase in pattern.any_phrases if (span := find(phrase, text))]
        if not found:
            return None
        spans.append(max(found, key=lambda span: span[1] - span[0]))
    if any(find(phrase, text) for phrase in pattern.unless_phrases):
        return None
    notes: tuple[str, ...] = ()
    try:
        if pattern.expression:
            match = pattern.expression.search(text, timeout=EXPRESSION_SECONDS)
            if match is None:
                return None
            spans.append(match.span())
        token = pattern.token.search(reply.text, timeout=EXPRESSION_SECONDS) if pattern.token else None
    except TimeoutError:
        return None
    if token is None and pattern.token_needed:
        return None
    if token and pattern.token_needed and (span := find(fold(token[0]), text)):
        spans.append(span)
    return Hit(pattern, tuple(spans), token[0] if token else None, notes)


def find(phrase: str, text: str) -> tuple[int, int] | None:
    """Where a folded phrase stands in a folded text. It starts where a word starts."""
    start = text.find(phrase)
    if start > 0 and _starts_word(phrase):
        while start > 0 and _in_word(text, start):
            start = text.find(phrase, start + 1)
    return None if start < 0 else (start, start + len(phrase))


def _starts_word(phrase: str) -> bool:
    return phrase[0].isascii() and phrase[0].isalnum()


def _in_word(text: str, start: int) -> bool:
    before = text[start - 1]
    return before.isascii() and before.isalnum()


def _status_fits(wanted: tuple[str, ...], status: str) -> bool:
    klass, subject, detail = status.split(".")
    for want in wanted:
        parts = want.split(".")
        if (
            parts[0] in ("x", klass)
            and parts[1] in ("*", subject)
            and (len(parts) < 3 or parts[2] in ("*", detail))
        ):
            return True
    return False


def _ready(rule: Rule, table: Table, order: int) -> Pattern:
    return Pattern(
        rule=rule,
        table=table,
        order=order,
        phrases=tuple(sorted((fold(phrase) for phrase in rule.phrases), key=len, reverse=True)),
        any_phrases=tuple(fold(phrase) for phrase in rule.any_phrases),
        unless_phrases=tuple(fold(phrase) for phrase in rule.unless_phrases),
        expression=regex.compile(rule.pattern, regex.IGNORECASE) if rule.pattern else None,
        token=regex.compile(rf"(?<!\w)(?:{rule.token})(?!\w)", regex.IGNORECASE) if rule.token else None,
        token_needed=bool(rule.token) and not (rule.phrases or rule.any_phrases),
        statuses=rule.status,
    )


def _anchors(pattern: Pattern) -> tuple[str, ...]:
    if pattern.phrases:
        return pattern.phrases[:1]
    if pattern.any_phrases:
        return pattern.any_phrases
    if pattern.token_needed and pattern.rule.token:
        return tuple(fold(literal) for literal in token_literals(pattern.rule.token))
    return ()
