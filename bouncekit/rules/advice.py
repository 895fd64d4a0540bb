"""What the sender should do, and whose move it is: the one advice table, and the rule that guards `suppress`.

The table is read from the top; the first row that fits gives the advice. A column that is ANY fits
everything. docs/advice.md shows the same table, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from bouncekit.model import (
    SUPPRESSIBLE,
    Advice,
    Cause,
    Confidence,
    Family,
    Party,
    Permanence,
    Scope,
    Stage,
)

__all__ = ["ADVICE", "ANY", "PARTIES", "Row", "advise", "party_of"]

ANY: Final = None


class Row(NamedTuple):
    """One row: the conditions, and the advice where all of them hold."""

    causes: frozenset[Cause]
    permanence: Permanence | None
    scopes: frozenset[Scope] | None
    stages: frozenset[Stage] | None
    confidences: frozenset[Confidence] | None
    advice: Advice


def _of(*families: Family) -> frozenset[Cause]:
    return frozenset(cause for cause in Cause if cause.family in families)


_PERMANENT, _TEMPORARY = Permanence.PERMANENT, Permanence.TEMPORARY
_ENDED = frozenset({Stage.LIVE, Stage.FINAL})
_TRUSTED = frozenset({Confidence.CERTAIN, Confidence.LIKELY})
_SENDERS = frozenset(
    {Scope.IP, Scope.NETWORK, Scope.ACCOUNT, Scope.SENDER_DOMAIN, Scope.SENDER_ADDRESS, Scope.SYSTEM}
)

# fmt: off
ADVICE: tuple[Row, ...] = (
    # causes, permanence, scopes, stages, confidences -> advice
    Row(SUPPRESSIBLE, _PERMANENT, ANY, _ENDED, _TRUSTED, Advice.SUPPRESS),
    Row(SUPPRESSIBLE, _PERMANENT, ANY, _ENDED, ANY, Advice.REVIEW),
    Row(SUPPRESSIBLE, ANY, ANY, ANY, ANY, Advice.RETRY),
    Row(frozenset({Cause.RECIPIENT_RESTRICTED}), _PERMANENT, ANY, _ENDED, _TRUSTED, Advice.STOP),
    Row(frozenset({Cause.RECIPIENT_RESTRICTED}), ANY, ANY, ANY, ANY, Advice.REVIEW),
    Row(frozenset({Cause.MAILBOX_FULL}), _PERMANENT, ANY, _ENDED, ANY, Advice.REVIEW),
    Row(frozenset({Cause.MAILBOX_FULL}), ANY, ANY, ANY, ANY, Advice.RETRY),
    Row(frozenset({Cause.RECIPIENT_SUPPRESSED}), ANY, ANY, ANY, ANY, Advice.REVIEW),
    Row(frozenset({Cause.RELAY_DENIED, Cause.MAIL_LOOP}), ANY, ANY, ANY, ANY, Advice.FIX_ROUTE),
    Row(frozenset({Cause.RATE_LIMITED, Cause.CONNECTION_LIMITED}), ANY, ANY, ANY, ANY, Advice.SLOW_DOWN),
    Row(frozenset({Cause.GREYLISTED}), ANY, ANY, ANY, ANY, Advice.RETRY),
    Row(frozenset({Cause.REPUTATION_BLOCK}), _TEMPORARY, ANY, ANY, ANY, Advice.SLOW_DOWN),
    Row(frozenset({Cause.REPUTATION_BLOCK}), _PERMANENT, frozenset({Scope.MESSAGE}), ANY, ANY, Advice.FIX_MESSAGE),
    Row(frozenset({Cause.REPUTATION_BLOCK, Cause.DNSBL_LISTING, Cause.SENDER_BLOCKED}), ANY, _SENDERS, ANY, _TRUSTED, Advice.REQUEST_UNBLOCK),
    Row(frozenset({Cause.REPUTATION_BLOCK, Cause.DNSBL_LISTING, Cause.SENDER_BLOCKED}), ANY, ANY, ANY, ANY, Advice.REVIEW),
    Row(frozenset({Cause.TLS_REQUIRED}), _TEMPORARY, ANY, ANY, ANY, Advice.RETRY),
    Row(frozenset({Cause.TLS_REQUIRED, Cause.LOGIN_REQUIRED}), ANY, ANY, ANY, ANY, Advice.FIX_ROUTE),
    Row(_of(Family.IDENTITY), ANY, ANY, ANY, ANY, Advice.FIX_IDENTITY),
    Row(_of(Family.CONTENT), _TEMPORARY, ANY, ANY, ANY, Advice.REVIEW),
    Row(_of(Family.CONTENT), ANY, ANY, ANY, ANY, Advice.FIX_MESSAGE),
    Row(frozenset({Cause.TOO_MANY_RECIPIENTS}), _TEMPORARY, ANY, ANY, ANY, Advice.RETRY),
    Row(frozenset({Cause.TOO_MANY_RECIPIENTS}), ANY, ANY, ANY, ANY, Advice.FIX_MESSAGE),
    Row(frozenset({Cause.POLICY_REJECTION}), _TEMPORARY, ANY, ANY, ANY, Advice.RETRY),
    Row(frozenset({Cause.POLICY_REJECTION}), ANY, ANY, ANY, ANY, Advice.REVIEW),
    Row(_of(Family.INFRASTRUCTURE), _TEMPORARY, ANY, ANY, ANY, Advice.RETRY),
    Row(_of(Family.INFRASTRUCTURE), ANY, ANY, ANY, ANY, Advice.REVIEW),
    Row(frozenset({Cause.DELIVERED}), ANY, ANY, ANY, ANY, Advice.NONE),
    Row(frozenset({Cause.COMPLAINT}), ANY, ANY, ANY, ANY, Advice.STOP),
    Row(frozenset({Cause.UNKNOWN}), _TEMPORARY, ANY, frozenset({Stage.LIVE, Stage.DELAYED}), ANY, Advice.RETRY),
    Row(frozenset({Cause.UNKNOWN}), ANY, ANY, ANY, ANY, Advice.REVIEW),
)

PARTIES: dict[Cause, Party] = {
    Cause.RECIPIENT_UNKNOWN: Party.SENDER, Cause.RECIPIENT_DISABLED: Party.SENDER,
    Cause.RECIPIENT_MOVED: Party.SENDER, Cause.MAILBOX_FULL: Party.RECIPIENT,
    Cause.RECIPIENT_RESTRICTED: Party.RECIPIENT, Cause.RECIPIENT_SYNTAX: Party.SENDER,
    Cause.RECIPIENT_SUPPRESSED: Party.SENDER, Cause.DOMAIN_UNKNOWN: Party.SENDER,
    Cause.DOMAIN_NO_MAIL: Party.SENDER, Cause.RELAY_DENIED: Party.RECEIVER,
    Cause.MAIL_LOOP: Party.RECEIVER, Cause.REPUTATION_BLOCK: Party.OPERATOR,
    Cause.DNSBL_LISTING: Party.THIRD_PARTY, Cause.RATE_LIMITED: Party.OPERATOR,
    Cause.CONNECTION_LIMITED: Party.OPERATOR, Cause.GREYLISTED: Party.OPERATOR,
    Cause.SENDER_BLOCKED: Party.SENDER, Cause.SPF_FAILED: Party.OPERATOR,
    Cause.DKIM_FAILED: Party.OPERATOR, Cause.DMARC_FAILED: Party.OPERATOR,
    Cause.AUTHENTICATION_MISSING: Party.OPERATOR, Cause.REVERSE_DNS: Party.OPERATOR,
    Cause.SENDER_INVALID: Party.SENDER, Cause.LOGIN_REQUIRED: Party.OPERATOR,
    Cause.TLS_REQUIRED: Party.OPERATOR, Cause.SPAM_CONTENT: Party.SENDER,
    Cause.PHISHING_URL: Party.SENDER, Cause.VIRUS: Party.SENDER,
    Cause.ATTACHMENT_BLOCKED: Party.SENDER, Cause.MESSAGE_TOO_LARGE: Party.SENDER,
    Cause.MESSAGE_MALFORMED: Party.SENDER, Cause.POLICY_REJECTION: Party.RECEIVER,
    Cause.TOO_MANY_RECIPIENTS: Party.SENDER, Cause.NETWORK_FAILURE: Party.RECEIVER,
    Cause.DNS_FAILURE: Party.RECEIVER, Cause.SERVER_FAILURE: Party.RECEIVER,
    Cause.SERVER_FULL: Party.RECEIVER, Cause.DELIVERY_EXPIRED: Party.RECEIVER,
    Cause.PROTOCOL_ERROR: Party.OPERATOR, Cause.DELIVERED: Party.SENDER,
    Cause.COMPLAINT: Party.SENDER, Cause.UNKNOWN: Party.SENDER,
}
# fmt: on


def party_of(cause: Cause) -> Party:
    """Whose move it is, where a rule does not say."""
    return PARTIES[cause]


def advise(
    cause: Cause,
    permanence: Permanence,
    scope: Scope,
    stage: Stage,
    confidence: Confidence,
    doubts: Iterable[str] = (),
) -> Advice:
    """Look the advice up.

    :param doubts: what the text says that speaks against a dead address; any of it turns `suppress` into
        `review`.
    """
    for row in ADVICE:
        if (
            cause in row.causes
            and row.permanence in (ANY, permanence)
            and (row.scopes is ANY or scope in row.scopes)
            and (row.stages is ANY or stage in row.stages)
            and (row.confidences is ANY or confidence in row.confidences)
        ):
            return Advice.REVIEW if row.advice is Advice.SUPPRESS and any(doubts) else row.advice
    raise LookupError(f"the advice table has no row for {cause}")
