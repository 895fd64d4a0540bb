"""A set of rule tables, and the verdict that it gives on one reply.

    reply + context -> recognition -> matching rules -> precedence -> verdict
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from bouncekit import reply as grammar
from bouncekit.model import (
    Advice,
    Basis,
    Cause,
    Confidence,
    Evidence,
    Listing,
    Party,
    Permanence,
    Provider,
    Scope,
    Stage,
    Verdict,
)
from bouncekit.reply import Reply, Subject, fold
from bouncekit.rules import loader
from bouncekit.rules.advice import advise, party_of
from bouncekit.rules.codes import Code, Codes
from bouncekit.rules.details import details_of
from bouncekit.rules.matcher import Hit, Matcher, Scan, confirm
from bouncekit.rules.precedence import Rank, choose, rank_of
from bouncekit.rules.recognition import Recognised, Recogniser
from bouncekit.rules.table import Rule, Table, TableKind

__all__ = ["RuleSet"]

_STATUS = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})(?!\d)")


@attrs.frozen
class _Finding:
    """What decided: a rule, a code, or nothing."""

    rank: Rank | None
    cause: Cause
    scope: Scope
    basis: Basis
    confidence: Confidence
    permanence: Permanence | None = None
    party: Party | None = None
    alternatives: tuple[Cause, ...] = ()
    suppress: bool = True
    hit: Hit | None = None
    from_code: int | str | None = None


_NOTHING = _Finding(
    rank=None, cause=Cause.UNKNOWN, scope=Scope.MESSAGE, basis=Basis.GUESS, confidence=Confidence.WEAK
)
_SENDER_TESTED = attrs.evolve(
    _NOTHING, cause=Cause.SENDER_INVALID, scope=Scope.SENDER_ADDRESS, basis=Basis.PHRASE, confidence=Confidence.LIKELY
)
_DELIVERED = attrs.evolve(
    _NOTHING,
    rank=Rank.STATUS,
    cause=Cause.DELIVERED,
    scope=Scope.RECIPIENT,
    permanence=Permanence.PERMANENT,
    basis=Basis.CODE,
    confidence=Confidence.CERTAIN,
)
# Actions of a notice that are no refusal (RFC 3464 section 2.3.3), and a complaint (RFC 5965).
_REPORTED = {
    "delivered": _DELIVERED,
    "relayed": _DELIVERED,
    "expanded": _DELIVERED,
    "complaint": attrs.evolve(_DELIVERED, cause=Cause.COMPLAINT, basis=Basis.DOCUMENTED),
}
_USUALLY_TEMPORARY = frozenset(
    {
        Cause.MAILBOX_FULL, Cause.RATE_LIMITED, Cause.CONNECTION_LIMITED, Cause.GREYLISTED, Cause.NETWORK_FAILURE,
        Cause.DNS_FAILURE, Cause.SERVER_FAILURE, Cause.SERVER_FULL, Cause.DELIVERY_EXPIRED,
    }
)  # fmt: skip


@attrs.frozen
class RuleSet:
    """Rule tables, in the order of their precedence. Immutable: `extend` gives a new one."""

    tables: tuple[Table, ...]

    @functools.cached_property
    def _engine(self) -> _Engine:
        return _Engine(self.tables)

    def __reduce__(self) -> tuple[type[RuleSet], tuple[tuple[Table, ...]]]:
        return RuleSet, (self.tables,)

    @staticmethod
    def default() -> RuleSet:
        """The tables that come with bouncekit."""
        return _default()

    def extend(self, source: str | os.PathLike[str] | Mapping[str, Any]) -> RuleSet:
        """A rule set in which a user's tables stand above these.

        :param source: a TOML file, a folder of them, or a mapping as TOML would give it.
        :raises RuleError: names file, line, rule and the mend.
        """
        return RuleSet((*self.tables, *loader.load(source)))

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that name the content of the rules."""
        return self._engine.hash

    def rule(self, rule_id: str) -> Rule | None:
        """The rule of an id such as "microsoft-consumer/network-block-list"."""
        table_id, _, name = rule_id.partition("/")
        return next(
            (r for t in reversed(self.tables) if t.id == table_id for r in t.rules if r.name == name), None
        )

    def classify(
        self,
        text: str,
        *,
        host: str | None = None,
        recipient: str | None = None,
        command: str | None = None,
        status: str | None = None,
        action: str | None = None,
        diagnostic_type: str | None = None,
        stage: Stage | str | None = None,
    ) -> Verdict:
        """Classify one reply; see `bouncekit.classify`."""
        if not isinstance(text, str):
            raise TypeError(f"a reply is a str, not {type(text).__name__}")
        return self._engine.judge(
            text,
            host=host,
            recipient=recipient,
            command=command,
            field_status=status,
            diagnostic_type=diagnostic_type,
            stage=_stage_of(stage, action),
            action=_action_word(action),
        )


def _action_word(action: str | None) -> str:
    return (action or "").strip().split(" ")[0].lower()


def _stage_of(stage: Stage | str | None, action: str | None) -> Stage:
    if stage is not None:
        return Stage(stage)
    return {"": Stage.LIVE, "delayed": Stage.DELAYED}.get(_action_word(action), Stage.FINAL)


@functools.lru_cache(maxsize=1)
def _default() -> RuleSet:
    return RuleSet(loader.builtin())


class _Engine:
    """A rule set made ready for use. Never changes after it is built; safe between threads."""

    def __init__(self, tables: tuple[Table, ...]) -> None:
        doubts: Iterable[str] = loader.read_data("doubts.toml")["words"]
        self._matcher = Matcher(tables, doubts)
        self._recogniser = Recogniser(tables)
        self._codes = Codes(loader.read_data("codes.toml"))
        self._causes: Mapping[str, Mapping[str, str]] = loader.read_data("causes.toml")
        digests = "".join(table.digest for table in tables)
        self.hash = hashlib.sha256(digests.encode()).hexdigest()[:12]

    def judge(
        self,
        text: str,
        *,
        host: str | None,
        recipient: str | None,
        command: str | None,
        field_status: str | None,
        diagnostic_type: str | None,
        stage: Stage,
        action: str,
    ) -> Verdict:
        reply = grammar.read(text, command)
        notes = list(reply.notes)
        status = self._status(reply, field_status, notes)
        host = reply.host or host
        scan = self._matcher.scan(fold(reply.text))
        recognised = self._recogniser.recognise(host, recipient, scan.fingerprints)
        finding = _REPORTED.get(action) or self._find(reply, status, scan, recognised)
        if reply.frame and finding.rank in (None, Rank.CODE):
            frame = attrs.evolve(reply, text=reply.frame)
            frame_scan = self._matcher.scan(fold(reply.frame))
            of_frame = self._find(frame, status, frame_scan, recognised)
            if of_frame.rank is not None and of_frame.rank < Rank.STATUS:
                reply, scan, finding = frame, frame_scan, of_frame
        if (exit_code := _exit_code(diagnostic_type, text)) and finding.rank in (None, Rank.CODE):
            finding = self._of_code(self._codes.of_exit(exit_code), Rank.STATUS, exit_code) or finding
        if reply.subject is Subject.SENDER and finding.cause.family.value in ("recipient", "domain"):
            finding = _SENDER_TESTED
            notes.append("the sender's address was tested: the answer is not about the recipient")
        if reply.expired and finding.cause is Cause.UNKNOWN:
            finding = attrs.evolve(
                _NOTHING, cause=Cause.DELIVERY_EXPIRED, permanence=Permanence.TEMPORARY, basis=Basis.PHRASE
            )
        return self._verdict(text, reply, status, stage, scan, recognised, finding, recipient, notes)

    def _status(self, reply: Reply, field: str | None, notes: list[str]) -> str | None:
        """The status that counts: the answer's own, unless it says nothing and the notice's field does."""
        match = _STATUS.match(field or "")
        stated = match[1] if match else None
        if field and not stated:
            notes.append(f"Status {field!r} is no enhanced status code")
        if reply.status is None or stated is None or stated == reply.status:
            return reply.status or stated
        if reply.status.endswith(".0.0") and not stated.endswith(".0.0"):
            return stated
        if not stated.endswith(".0.0"):
            notes.append(f"Status {stated} and {reply.status} in the text disagree; the text is taken")
        return reply.status

    def _find(self, reply: Reply, status: str | None, scan: Scan, recognised: Recognised) -> _Finding:
        hits: list[tuple[Rank, Hit]] = []
        for pattern in self._matcher.patterns(scan, recognised.speaking):
            hit = confirm(pattern, reply, status, scan)
            if hit and (rank := rank_of(hit, recognised)):
                hits.append((rank, hit))
        of_status = self._of_status(status)
        chosen = choose(hits)
        if chosen and (chosen[0] <= Rank.PHRASE or of_status is None or chosen[0] < (of_status.rank or 99)):
            return _of_rule(*chosen)
        if of_status and of_status.rank is Rank.STATUS:
            return of_status
        if chosen:
            return _of_rule(*chosen)
        of_reply = self._of_code(self._codes.of_reply(reply.code), Rank.CODE, reply.code)
        candidates = [finding for finding in (of_status, of_reply) if finding]
        known = [finding for finding in candidates if finding.cause is not Cause.UNKNOWN]
        return (known or candidates or [_NOTHING])[0]

    def _of_status(self, status: str | None) -> _Finding | None:
        code = self._codes.of_status(status)
        if code is None:
            return None
        return self._of_code(code, Rank.STATUS if code.specific else Rank.CODE, status)

    @staticmethod
    def _of_code(code: Code | None, rank: Rank, said: int | str | None) -> _Finding | None:
        if code is None:
            return None
        return _Finding(
            rank=rank,
            cause=code.cause,
            scope=code.scope,
            basis=Basis.CODE,
            confidence=Confidence.LIKELY if code.specific else Confidence.WEAK,
            permanence=code.permanence,
            alternatives=code.alternatives,
            suppress=code.suppress,
            from_code=said,
        )

    def _verdict(
        self,
        text: str,
        reply: Reply,
        status: str | None,
        stage: Stage,
        scan: Scan,
        recognised: Recognised,
        finding: _Finding,
        recipient: str | None,
        notes: list[str],
    ) -> Verdict:
        hit, cause = finding.hit, finding.cause
        permanence = finding.permanence or _permanence(reply.code, status, cause)
        advice = advise(
            cause, permanence, finding.scope, stage, finding.confidence, _doubts(scan, hit)
        )
        if advice is Advice.SUPPRESS and not finding.suppress:
            advice = Advice.REVIEW
        rule = hit.rule if hit else None
        receiver = recognised.receiver
        provider = receiver.provider if receiver else None
        speaker = self._speaker(hit, recognised, scan)
        if provider is None and hit and hit.table.kind is TableKind.PROVIDER:
            provider, speaker = hit.table.provider, None
        listing = next(
            (_listing(table) for table in scan.fingerprints if table.kind is TableKind.BLOCKLIST), None
        )
        if listing is None and hit and hit.table.kind is TableKind.BLOCKLIST:
            listing = _listing(hit.table)
        words = self._causes.get(cause.value, {})
        return Verdict(
            cause=cause,
            scope=finding.scope,
            party=finding.party or party_of(cause),
            permanence=permanence,
            stage=stage,
            advice=advice,
            basis=finding.basis,
            confidence=finding.confidence,
            alternatives=finding.alternatives,
            reply_code=reply.code,
            status=status,
            provider=provider,
            speaker=speaker,
            listing=listing,
            rule=rule.id if rule else None,
            token=hit.token if hit else None,
            evidence=_evidence(text, hit, scan, finding.from_code),
            details=details_of(f"{reply.frame} {reply.text}", cause, recipient, reply.expired),
            meaning=(rule.meaning if rule else "") or words.get("meaning", ""),
            remedy=(rule.remedy if rule else "") or words.get("remedy", ""),
            links=_links(rule, hit, provider),
            retry_after=reply.retry_after,
            label=rule.label if rule else None,
            notes=tuple(notes),
            rules=self.hash,
        )

    def _speaker(self, hit: Hit | None, recognised: Recognised, scan: Scan) -> Provider | None:
        """Whoever wrote the text, where that is not the recipient's provider."""
        receiver = recognised.receiver
        candidates = []
        if hit and hit.table.kind not in (TableKind.PHRASES, TableKind.BLOCKLIST):
            candidates.append(hit.table)
        if recognised.host:
            candidates.append(recognised.host)
        candidates += [table for table in scan.fingerprints if table.kind is not TableKind.BLOCKLIST]
        for table in candidates:
            if table.user and not (table.domains or table.mx or table.fingerprints):
                continue
            return table.provider if receiver is None or table.id != receiver.id else None
        return None


def _of_rule(rank: Rank, hit: Hit) -> _Finding:
    rule = hit.rule
    confidence = rule.confidence
    if rank is Rank.DISTINCTIVE and confidence is Confidence.CERTAIN:
        confidence = Confidence.LIKELY
    return _Finding(
        rank=rank,
        cause=rule.cause,
        scope=rule.scope,
        basis=rule.basis,
        confidence=confidence,
        permanence=rule.permanence,
        party=rule.party,
        alternatives=rule.alternatives,
        suppress=rule.suppress,
        hit=hit,
    )


def _permanence(code: int | None, status: str | None, cause: Cause) -> Permanence:
    """By the class of the reply code, then of the status; else by what the condition usually is."""
    digit = str(code)[0] if code else status[0] if status else ""
    if digit == "5":
        return Permanence.PERMANENT
    if digit == "4" or cause in _USUALLY_TEMPORARY or cause is Cause.UNKNOWN:
        return Permanence.TEMPORARY
    return Permanence.PERMANENT


def _doubts(scan: Scan, hit: Hit | None) -> list[str]:
    """Words that speak against a dead address, outside of what the deciding rule itself matched."""
    spans = hit.spans if hit else ()
    return [
        scan.text[start:end]
        for start, end in scan.doubts
        if not any(first <= start and end <= last for first, last in spans)
    ]


def _exit_code(diagnostic_type: str | None, text: str) -> int | None:
    """An exit status of sysexits.h, as sendmail writes it: `X-Unix; 67`."""
    if (diagnostic_type or "").lower() != "x-unix":
        return None
    match = re.match(r"\s*(6[4-9]|7[0-8])\b", text)
    return int(match[1]) if match else None


def _listing(table: Table) -> Listing | None:
    if table.provider is None:
        return None
    links = table.provider.links
    return Listing(id=table.id, name=table.provider.name, removal=links.get("delist"))


def _links(rule: Rule | None, hit: Hit | None, provider: Provider | None) -> dict[str, str]:
    """The rule's links, over those of its table, over those of the recipient's provider where it spoke."""
    of_table = hit.table.provider if hit else None
    of_speaker = dict((of_table or provider).links) if (of_table or provider) else {}  # type: ignore[union-attr]
    return of_speaker | (dict(rule.links) if rule else {})


def _evidence(text: str, hit: Hit | None, scan: Scan, code: int | str | None) -> Evidence | None:
    """The piece of the input that decided."""
    if hit and hit.spans:
        start = min(span[0] for span in hit.spans)
        end = max(span[1] for span in hit.spans)
        longest = max(hit.spans, key=lambda span: span[1] - span[0])
        for first, last in ((start, end), longest):
            if located := _locate(text, scan.text[first:last]):
                return Evidence(text[located[0] : located[1]], *located)
        return None
    said = str(code) if code else (hit.rule.status or [None])[0] if hit else None
    if said and (start := text.find(said)) >= 0:
        return Evidence(said, start, start + len(said))
    return None


def _locate(text: str, folded: str) -> tuple[int, int] | None:
    """Where a piece of folded text stands in the input, across line prefixes and folding."""
    lower = text.lower()
    if len(lower) == len(text) and (start := lower.find(folded)) >= 0:
        return start, start + len(folded)
    words = [re.escape(word).replace("'", "['`´‘’]") for word in folded.split(" ")]
    between = r"(?:\s|\\r|\\n|\d{3}[ -]|\d\.\d{1,3}\.\d{1,3}|<[^<>]{1,40}>|&nbsp;){1,12}"
    try:
        match = re.search(between.join(words[:200]), text, re.IGNORECASE)
    except re.error:
        return None
    return match.span() if match else None
