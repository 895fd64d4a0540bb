"""Rule tables: what they hold, and the checks that a table passes before it is used.

The format is docs/tables.md. Every fault is a RuleError that names file, line, rule and the mend.
"""

from __future__ import annotations

import difflib
import enum
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import attrs
import regex

from bouncekit.model import Basis, Cause, Confidence, Party, Permanence, Provider, Scope, Word

__all__ = ["Hosting", "Rule", "RuleError", "Table", "TableKind", "table_from"]


class RuleError(ValueError):
    """A rule table is broken: says where, what, and how to mend it."""

    def __init__(
        self, message: str, *, file: str = "", line: int | None = None, rule: str | None = None
    ) -> None:
        self.message, self.file, self.line, self.rule = message, file, line, rule
        where = ":".join(str(part) for part in (file, line) if part)
        super().__init__(
            ": ".join(part for part in (where, f"rule {rule!r}" if rule else "", message) if part)
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _rule_error, (self.message, self.file, self.line, self.rule)


def _rule_error(message: str, file: str, line: int | None, rule: str | None) -> RuleError:
    return RuleError(message, file=file, line=line, rule=rule)


class TableKind(Word):
    """Who speaks in a table."""

    PROVIDER = "provider"
    GATEWAY = "gateway"
    BLOCKLIST = "blocklist"
    SOFTWARE = "software"
    PHRASES = "phrases"


@attrs.frozen
class Hosting:
    """Another table that speaks for (some of) a provider's recipients."""

    provider: str
    since: int | None = None
    domains: tuple[str, ...] = ()


@attrs.frozen
class Rule:
    """One rule, as its table states it."""

    table: str
    name: str
    cause: Cause
    basis: Basis
    scope: Scope
    examples: tuple[str, ...]
    phrases: tuple[str, ...] = ()
    any_phrases: tuple[str, ...] = ()
    unless_phrases: tuple[str, ...] = ()
    pattern: str | None = None
    token: str | None = None
    reply_codes: tuple[int, ...] = ()
    status: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    permanence: Permanence | None = None
    party: Party | None = None
    confidence: Confidence = Confidence.LIKELY
    alternatives: tuple[Cause, ...] = ()
    suppress: bool = True
    label: str | None = None
    meaning: str = ""
    remedy: str = ""
    links: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    source: str = ""
    year: int | None = None
    until: int | None = None
    renamed_from: str | None = None
    counterexamples: tuple[str, ...] = ()
    line: int | None = attrs.field(default=None, eq=False)

    @property
    def id(self) -> str:
        """The rule's name outside its table, e.g. "microsoft-consumer/network-block-list"."""
        return f"{self.table}/{self.name}"


@attrs.frozen
class Table:
    """One rule table."""

    id: str
    kind: TableKind
    provider: Provider | None
    rules: tuple[Rule, ...]
    domains: tuple[str, ...] = ()
    mx: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()
    hosted_by: tuple[Hosting, ...] = ()
    language: str | None = None
    file: str = attrs.field(default="", eq=False)
    user: bool = False
    digest: str = ""
    """SHA-256 of the table's text."""


_KIND_OF_FOLDER = {
    "providers": TableKind.PROVIDER,
    "gateways": TableKind.GATEWAY,
    "blocklists": TableKind.BLOCKLIST,
    "software": TableKind.SOFTWARE,
    "phrases": TableKind.PHRASES,
}
_CONFIDENCE = {
    Basis.DOCUMENTED: Confidence.CERTAIN,
    Basis.OBSERVED: Confidence.LIKELY,
    Basis.PHRASE: Confidence.LIKELY,
    Basis.GUESS: Confidence.WEAK,
}
_COMMANDS = ("CONNECT", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "BODY", "QUIT")
_RULE_KEYS = {field.name for field in attrs.fields(Rule)} - {"table", "name", "line"} | {"id"}
_PROVIDER_KEYS = {"id", "name", "operator", "kind", "domains", "mx", "fingerprints", "links", "hosted_by"}
_STATUS = regex.compile(r"[x245]\.(?:\d{1,3}|\*)\.(?:\d{1,3}|\*)|[x245]\.\d{1,3}\.\*|[x245]\.\*")
_ID = regex.compile(r"[a-z0-9]+(?:[-.][a-z0-9]+)*")

_W = TypeVar("_W", bound=enum.Enum)


def table_from(
    data: Mapping[str, Any],
    *,
    file: str,
    folder: str = "",
    lines: Sequence[int] = (),
    user: bool = False,
    digest: str = "",
) -> Table:
    """Check one table and build it.

    :param data: the parsed TOML.
    :param file: its name, for messages.
    :param folder: the folder that it lies in, which gives its kind.
    :param lines: the line on which each `[[rule]]` stands.
    :param user: whether it is a user's table.
    :param digest: SHA-256 of its text.
    :raises RuleError: for any fault.
    """
    _only(data, {"provider", "phrases", "rule"}, file=file)
    head, rows = data.get("provider") or data.get("phrases"), data.get("rule", [])
    if not isinstance(head, Mapping):
        raise RuleError("a table needs a [provider] or a [phrases] section", file=file)
    is_phrases = "phrases" in data
    _only(head, {"id", "language"} if is_phrases else _PROVIDER_KEYS, file=file)
    table_id = head.get("id")
    if not isinstance(table_id, str) or not _ID.fullmatch(table_id):
        raise RuleError(f"id must be lower-case words joined by hyphens, not {table_id!r}", file=file)
    kind = TableKind.PHRASES if is_phrases else _KIND_OF_FOLDER.get(folder, TableKind.PROVIDER)
    if "kind" in head:
        kind = _word(TableKind, head["kind"], "kind", file=file)
    if not isinstance(rows, list):
        raise RuleError("rules are written as [[rule]]", file=file)
    rules = tuple(
        _rule(row, table_id, kind, file=file, line=lines[number] if number < len(lines) else None)
        for number, row in enumerate(rows)
    )
    seen: set[str] = set()
    for rule in rules:
        if rule.name in seen:
            raise RuleError("this id stands twice in the table", file=file, line=rule.line, rule=rule.name)
        seen.add(rule.name)
    return Table(
        id=table_id,
        kind=kind,
        provider=None
        if is_phrases
        else Provider(
            id=table_id,
            name=_text(head, "name", file=file) or table_id,
            operator=_text(head, "operator", file=file),
            links=_links(head, file=file),
        ),
        rules=rules,
        domains=tuple(domain.lower() for domain in _texts(head, "domains", file=file)),
        mx=tuple(glob.lower() for glob in _texts(head, "mx", file=file)),
        fingerprints=_texts(head, "fingerprints", file=file),
        hosted_by=tuple(_hosting(row, file=file) for row in head.get("hosted_by", ())),
        language=head.get("language"),
        file=file,
        user=user,
        digest=digest,
    )


def _rule(
    row: Mapping[str, Any], table: str, kind: TableKind, *, file: str, line: int | None
) -> Rule:
    name = row.get("id")
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise RuleError(
            f"a rule's id must be lower-case words joined by hyphens, not {name!r}", file=file, line=line
        )
    try:
        _only(row, _RULE_KEYS)
        missing = [key for key in ("cause", "scope", "basis", "examples") if key not in row]
        if kind is not TableKind.PHRASES:
            needed = ("permanence", "meaning", "remedy", "source", "year")
            missing += [key for key in needed if key not in row]
        if missing:
            raise RuleError(f"missing: {', '.join(missing)}")
        basis = _word(Basis, row["basis"], "basis")
        rule = Rule(
            table=table,
            name=name,
            cause=_word(Cause, row["cause"], "cause"),
            scope=_word(Scope, row["scope"], "scope"),
            basis=basis,
            permanence=_word(Permanence, row["permanence"], "permanence") if "permanence" in row else None,
            party=_word(Party, row["party"], "party") if "party" in row else None,
            confidence=_word(Confidence, row["confidence"], "confidence")
            if "confidence" in row
            else _CONFIDENCE.get(basis, Confidence.LIKELY),
            alternatives=tuple(_word(Cause, cause, "alternatives") for cause in row.get("alternatives", ())),
            phrases=_texts(row, "phrases"),
            any_phrases=_texts(row, "any_phrases"),
            unless_phrases=_texts(row, "unless_phrases"),
            pattern=_expression(row, "pattern"),
            token=_expression(row, "token"),
            reply_codes=_reply_codes(row),
            status=_statuses(row),
            command=_commands(row),
            over=_texts(row, "over"),
            suppress=row.get("suppress", True) is not False,
            label=_text(row, "label") or None,
            meaning=_text(row, "meaning"),
            remedy=_text(row, "remedy"),
            links=_links(row),
            source=_text(row, "source"),
            year=row.get("year"),
            until=row.get("until"),
            renamed_from=row.get("renamed_from"),
            examples=_texts(row, "examples"),
            counterexamples=_texts(row, "counterexamples"),
            line=line,
        )
        if not rule.examples:
            raise RuleError("a rule needs at least one example")
        if not (rule.phrases or rule.any_phrases or rule.token or rule.reply_codes or rule.status):
            raise RuleError("a rule needs phrases, a token, reply_codes or status to match")
        if rule.pattern and not (rule.phrases or rule.any_phrases):
            raise RuleError("a pattern needs phrases beside it, so that not every text is tried against it")
        if rule.token and not (rule.phrases or rule.any_phrases) and not token_literals(rule.token):
            raise RuleError("this token has no literal to look for: give phrases beside it")
    except RuleError as error:
        raise RuleError(error.message, file=file, line=line, rule=name) from None
    return rule


def token_literals(token: str) -> tuple[str, ...]:
    """The plain texts that a token consists of, or () where it is a real expression."""
    literals = []
    for alternative in token.split("|"):
        plain = regex.sub(r"\\([^A-Za-z0-9])", r"\1", alternative)
        if not plain or regex.escape(plain, literal_spaces=True) != alternative and _METACHARACTER.search(alternative):
            return ()
        literals.append(plain)
    return tuple(literals)


_METACHARACTER = regex.compile(r"(?<!\\)[.^$*+?{}\[\]()|]|\\[A-Za-z0-9]")


def _only(data: Mapping[str, Any], known: set[str], *, file: str = "") -> None:
    for key in data:
        if key not in known:
            raise RuleError(f"unknown key {key!r}{_nearest(key, known)}", file=file)


def _nearest(word: str, known: set[str]) -> str:
    near = difflib.get_close_matches(word, sorted(known), 1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(sorted(known))}"


def _word(words: type[_W], value: object, key: str, *, file: str = "") -> _W:
    try:
        return words(value)
    except ValueError:
        known = {str(word.value) for word in words}
        raise RuleError(f"{key} {value!r} is unknown{_nearest(str(value), known)}", file=file) from None


def _text(data: Mapping[str, Any], key: str, *, file: str = "") -> str:
    value = data.get(key, "")
    if not isinstance(value, str):
        raise RuleError(f"{key} must be a text, not {value!r}", file=file)
    return value


def _texts(data: Mapping[str, Any], key: str, *, file: str = "") -> tuple[str, ...]:
    value = data.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        raise RuleError(f"{key} must be a list of texts, not {value!r}", file=file)
    return tuple(value)


def _links(data: Mapping[str, Any], *, file: str = "") -> dict[str, str]:
    value = data.get("links", {})
    if not isinstance(value, Mapping) or not all(isinstance(link, str) for link in value.values()):
        raise RuleError("links must map names to addresses", file=file)
    return dict(value)


def _expression(data: Mapping[str, Any], key: str) -> str | None:
    value = _text(data, key)
    if not value:
        return None
    try:
        regex.compile(value)
    except regex.error as error:
        raise RuleError(f"{key} is no valid expression: {error}") from None
    return value


def _reply_codes(data: Mapping[str, Any]) -> tuple[int, ...]:
    value = data.get("reply_codes", [])
    if not isinstance(value, list) or not all(isinstance(code, int) and 200 <= code <= 599 for code in value):
        raise RuleError(f"reply_codes must be a list of numbers from 200 to 599, not {value!r}")
    return tuple(value)


def _statuses(data: Mapping[str, Any]) -> tuple[str, ...]:
    value = _texts(data, "status")
    for status in value:
        if not _STATUS.fullmatch(status):
            raise RuleError(f"status {status!r} is not of the form 5.7.1, x.7.1 or 5.7.*")
    return value


def _commands(data: Mapping[str, Any]) -> tuple[str, ...]:
    value = tuple(command.upper() for command in _texts(data, "command"))
    for command in value:
        if command not in _COMMANDS:
            raise RuleError(f"command {command!r} is unknown{_nearest(command, set(_COMMANDS))}")
    return value


def _hosting(row: Any, *, file: str) -> Hosting:
    if not isinstance(row, Mapping) or not isinstance(row.get("provider"), str):
        raise RuleError('hosted_by must be a list like [{ provider = "id", since = 2024 }]', file=file)
    _only(row, {"provider", "since", "domains"}, file=file)
    domains = tuple(domain.lower() for domain in _texts(row, "domains", file=file))
    return Hosting(provider=row["provider"], since=row.get("since"), domains=domains)
