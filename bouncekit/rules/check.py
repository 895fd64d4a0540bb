"""Runs what a rule table promises: each example is decided by its rule, no counterexample is.

    python -m bouncekit.rules.check [FILE...]
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import attrs

from bouncekit.model import Verdict
from bouncekit.reply import fold, read
from bouncekit.rules.matcher import Matcher, confirm
from bouncekit.rules.precedence import Rank, rank_of, stands_over
from bouncekit.rules.recognition import Recogniser
from bouncekit.rules.ruleset import RuleSet
from bouncekit.rules.table import Rule, RuleError, Table, TableKind

__all__ = ["Problem", "context_of", "problems"]


@attrs.frozen
class Problem:
    """One fault of a table, and where it stands."""

    file: str
    line: int | None
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line or 1}: {self.rule}: {self.message}"


def context_of(table: Table) -> dict[str, str | None]:
    """A host and a recipient such as a reply of this table's provider comes with."""
    glob = next(iter(table.mx), None)
    domain = next(iter(table.domains), None)
    host = glob.replace("*.", "mx1.").replace("*", "mx1").replace("?", "1") if glob else None
    return {"host": host, "recipient": f"user@{domain}" if domain else None}


def problems(rules: RuleSet, tables: Iterable[Table] | None = None) -> Iterator[Problem]:
    """Try every example and counterexample of some tables against a whole rule set.

    :param tables: the tables to check; default: all of the rule set.
    """
    for table in rules.tables if tables is None else tables:
        context = context_of(table)
        for rule in table.rules:
            for example in rule.examples:
                verdict = rules.classify(example, **context)
                if verdict.rule != rule.id and not _same_by_another(rules, rule, table, verdict):
                    yield Problem(
                        table.file,
                        rule.line,
                        rule.id,
                        f"example is decided by {verdict.rule or 'codes'} ({verdict.cause}): {example!r}",
                    )
            for example in rule.counterexamples:
                verdict = rules.classify(example, **context)
                if verdict.rule == rule.id:
                    yield Problem(table.file, rule.line, rule.id, f"decides its counterexample: {example!r}")
        yield from _contradictions(rules, table)


def _same_by_another(rules: RuleSet, rule: Rule, table: Table, verdict: Verdict) -> bool:
    """A generic or weak phrase may lose to a stronger rule that says the same."""
    return table.kind is TableKind.PHRASES and verdict.cause is rule.cause


def _contradictions(rules: RuleSet, table: Table) -> Iterator[Problem]:
    """Two rules of one table that match one example, name different causes, and neither stands over the other."""
    matcher, recogniser = Matcher([table], ()), Recogniser([table])
    context = context_of(table)
    for rule in table.rules:
        for example in rule.examples:
            reply = read(example)
            scan = matcher.scan(fold(reply.text))
            known = recogniser.recognise(context["host"], context["recipient"], scan.fingerprints)
            hits = [
                (rank, hit)
                for pattern in matcher.patterns(scan, known.speaking | {table.id})
                if (hit := confirm(pattern, reply, reply.status, scan))
                and (rank := rank_of(hit, attrs.evolve(known, speaking=known.speaking | {table.id})))
            ]
            best = min((rank for rank, _ in hits), default=Rank.CODE)
            rivals = [hit.rule for rank, hit in hits if rank is best and not hit.pattern.is_code_only]
            for other in rivals:
                if (
                    other.cause is not rule.cause
                    and rule in rivals
                    and not stands_over(rule, other)
                    and not stands_over(other, rule)
                ):
                    yield Problem(
                        table.file,
                        rule.line,
                        rule.id,
                        f"{other.id} ({other.cause}) matches this example too; "
                        f"name the one that wins in `over`: {example!r}",
                    )


def main(arguments: list[str]) -> int:
    """Check the built-in tables and those of the files given; prints one line a problem."""
    rules = RuleSet.default()
    try:
        for path in arguments:
            rules = rules.extend(path)
    except RuleError as error:
        print(error)
        return 1
    checked = rules.tables[len(RuleSet.default().tables) :] if arguments else rules.tables
    found = list(problems(rules, checked))
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
