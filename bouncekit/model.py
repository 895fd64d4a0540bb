"""The vocabulary: every class and enum that a caller sees.

Field names are the RFCs' terms in snake case (RFC 3464: final_recipient, action, status, remote_mta,
diagnostic_code; RFC 5321: reply code; RFC 3463: enhanced status code). Every class is frozen, slotted and
free of behaviour beyond what its own fields say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any

import attrs

__all__ = [
    "SUPPRESSIBLE",
    "Advice",
    "Basis",
    "Cause",
    "Confidence",
    "Delivery",
    "Details",
    "Evidence",
    "Family",
    "Feedback",
    "Kind",
    "Limit",
    "Listing",
    "Observation",
    "Origin",
    "Original",
    "Party",
    "Permanence",
    "Provider",
    "Report",
    "Scope",
    "Stage",
    "Verdict",
]


class Word(str, Enum):
    """A str enum whose value and printed form are the name in lower case."""

    def __str__(self) -> str:
        return str(self.value)


class Family(Word):
    """What a cause is about."""

    RECIPIENT = "recipient"
    DOMAIN = "domain"
    REPUTATION = "reputation"
    IDENTITY = "identity"
    CONTENT = "content"
    POLICY = "policy"
    INFRASTRUCTURE = "infrastructure"
    OTHER = "other"


class Cause(Word):
    """Why mail was refused, delayed or returned."""

    RECIPIENT_UNKNOWN = "recipient_unknown"
    RECIPIENT_DISABLED = "recipient_disabled"
    RECIPIENT_MOVED = "recipient_moved"
    MAILBOX_FULL = "mailbox_full"
    RECIPIENT_RESTRICTED = "recipient_restricted"
    RECIPIENT_SYNTAX = "recipient_syntax"
    RECIPIENT_SUPPRESSED = "recipient_suppressed"
    DOMAIN_UNKNOWN = "domain_unknown"
    DOMAIN_NO_MAIL = "domain_no_mail"
    RELAY_DENIED = "relay_denied"
    MAIL_LOOP = "mail_loop"
    REPUTATION_BLOCK = "reputation_block"
    DNSBL_LISTING = "dnsbl_listing"
    RATE_LIMITED = "rate_limited"
    CONNECTION_LIMITED = "connection_limited"
    GREYLISTED = "greylisted"
    SENDER_BLOCKED = "sender_blocked"
    SPF_FAILED = "spf_failed"
    DKIM_FAILED = "dkim_failed"
    DMARC_FAILED = "dmarc_failed"
    AUTHENTICATION_MISSING = "authentication_missing"
    REVERSE_DNS = "reverse_dns"
    SENDER_INVALID = "sender_invalid"
    LOGIN_REQUIRED = "login_required"
    TLS_REQUIRED = "tls_required"
    SPAM_CONTENT = "spam_content"
    PHISHING_URL = "phishing_url"
    VIRUS = "virus"
    ATTACHMENT_BLOCKED = "attachment_blocked"
    MESSAGE_TOO_LARGE = "message_too_large"
    MESSAGE_MALFORMED = "message_malformed"
    POLICY_REJECTION = "policy_rejection"
    TOO_MANY_RECIPIENTS = "too_many_recipients"
    NETWORK_FAILURE = "network_failure"
    DNS_FAILURE = "dns_failure"
    SERVER_FAILURE = "server_failure"
    SERVER_FULL = "server_full"
    DELIVERY_EXPIRED = "delivery_expired"
    PROTOCOL_ERROR = "protocol_error"
    DELIVERED = "delivered"
    COMPLAINT = "complaint"
    UNKNOWN = "unknown"

    @property
    def family(self) -> Family:
        """The family that this cause belongs to."""
        return _FAMILY_OF[self]


_FAMILIES: Mapping[Family, tuple[Cause, ...]] = {
    Family.RECIPIENT: (
        Cause.RECIPIENT_UNKNOWN,
        Cause.RECIPIENT_DISABLED,
        Cause.RECIPIENT_MOVED,
        Cause.MAILBOX_FULL,
        Cause.RECIPIENT_RESTRICTED,
        Cause.RECIPIENT_SYNTAX,
        Cause.RECIPIENT_SUPPRESSED,
    ),
    Family.DOMAIN: (
        Cause.DOMAIN_UNKNOWN,
        Cause.DOMAIN_NO_MAIL,
        Cause.RELAY_DENIED,
        Cause.MAIL_LOOP,
    ),
    Family.REPUTATION: (
        Cause.REPUTATION_BLOCK,
        Cause.DNSBL_LISTING,
        Cause.RATE_LIMITED,
        Cause.CONNECTION_LIMITED,
        Cause.GREYLISTED,
        Cause.SENDER_BLOCKED,
    ),
    Family.IDENTITY: (
        Cause.SPF_FAILED,
        Cause.DKIM_FAILED,
        Cause.DMARC_FAILED,
        Cause.AUTHENTICATION_MISSING,
        Cause.REVERSE_DNS,
        Cause.SENDER_INVALID,
        Cause.LOGIN_REQUIRED,
        Cause.TLS_REQUIRED,
    ),
    Family.CONTENT: (
        Cause.SPAM_CONTENT,
        Cause.PHISHING_URL,
        Cause.VIRUS,
        Cause.ATTACHMENT_BLOCKED,
        Cause.MESSAGE_TOO_LARGE,
        Cause.MESSAGE_MALFORMED,
    ),
    Family.POLICY: (Cause.POLICY_REJECTION, Cause.TOO_MANY_RECIPIENTS),
    Family.INFRASTRUCTURE: (
        Cause.NETWORK_FAILURE,
        Cause.DNS_FAILURE,
        Cause.SERVER_FAILURE,
        Cause.SERVER_FULL,
        Cause.DELIVERY_EXPIRED,
        Cause.PROTOCOL_ERROR,
    ),
    Family.OTHER: (Cause.DELIVERED, Cause.COMPLAINT, Cause.UNKNOWN),
}
_FAMILY_OF: Mapping[Cause, Family] = {
    cause: family for family, causes in _FAMILIES.items() for cause in causes
}

SUPPRESSIBLE: frozenset[Cause] = frozenset(
    {
        Cause.RECIPIENT_UNKNOWN,
        Cause.RECIPIENT_DISABLED,
        Cause.RECIPIENT_MOVED,
        Cause.RECIPIENT_SYNTAX,
        Cause.DOMAIN_UNKNOWN,
        Cause.DOMAIN_NO_MAIL,
    }
)
"""The only causes for which `Advice.SUPPRESS` can ever be given."""


class Scope(Word):
    """Whom a refusal hits."""

    RECIPIENT = "recipient"
    DOMAIN = "domain"
    MESSAGE = "message"
    SENDER_ADDRESS = "sender_address"
    SENDER_DOMAIN = "sender_domain"
    IP = "ip"
    NETWORK = "network"
    ACCOUNT = "account"
    SESSION = "session"
    SYSTEM = "system"


class Party(Word):
    """Whose move it is."""

    RECIPIENT = "recipient"
    RECEIVER = "receiver"
    SENDER = "sender"
    OPERATOR = "operator"
    THIRD_PARTY = "third_party"


class Permanence(Word):
    """What a retry would meet: a property of the condition, not of the reply's first digit."""

    PERMANENT = "permanent"
    TEMPORARY = "temporary"


class Stage(Word):
    """When the words were said: in a live session, in a delay notice, or after the system gave up."""

    LIVE = "live"
    DELAYED = "delayed"
    FINAL = "final"


class Basis(Word):
    """What a verdict rests on."""

    DOCUMENTED = "documented"
    OBSERVED = "observed"
    PHRASE = "phrase"
    CODE = "code"
    GUESS = "guess"


class Confidence(Word):
    """How far a verdict can be trusted."""

    CERTAIN = "certain"
    LIKELY = "likely"
    WEAK = "weak"


class Advice(Word):
    """What the sender should do."""

    SUPPRESS = "suppress"
    STOP = "stop"
    RETRY = "retry"
    SLOW_DOWN = "slow_down"
    FIX_MESSAGE = "fix_message"
    FIX_IDENTITY = "fix_identity"
    FIX_ROUTE = "fix_route"
    REQUEST_UNBLOCK = "request_unblock"
    REVIEW = "review"
    NONE = "none"


class Kind(Word):
    """What a message is."""

    FAILURE = "failure"
    DELAY = "delay"
    SUCCESS = "success"
    FEEDBACK_REPORT = "feedback_report"
    AUTO_REPLY = "auto_reply"
    CHALLENGE = "challenge"
    DISPOSITION = "disposition"
    NOT_A_BOUNCE = "not_a_bounce"


class Origin(Word):
    """Whether the mail that a report is about was ours."""

    OURS = "ours"
    FOREIGN = "foreign"
    UNVERIFIED = "unverified"


@attrs.frozen
class Provider:
    """Whoever receives mail or writes refusals: a mailbox provider, a gateway, a mail server software."""

    id: str
    name: str
    operator: str = ""
    links: Mapping[str, str] = attrs.field(factory=dict, hash=False)


@attrs.frozen
class Listing:
    """A block list that a reply names, with the page on which its owner removes addresses."""

    id: str
    name: str
    removal: str | None = None


@attrs.frozen
class Evidence:
    """The exact piece of the input that decided, and where it stands (offsets in characters)."""

    text: str
    start: int
    end: int


@attrs.frozen
class Limit:
    """A limit that a reply names, e.g. 10485760 bytes."""

    value: int
    unit: str


@attrs.frozen
class Details:
    """What a reply names besides its cause."""

    ips: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    mechanism: str | None = None
    limit: Limit | None = None
    reference: str | None = None
    new_address: str | None = None
    expired: bool = False


@attrs.frozen
class Verdict:
    """The typed answer to one refusal."""

    cause: Cause
    scope: Scope
    party: Party
    permanence: Permanence
    stage: Stage
    advice: Advice
    basis: Basis
    confidence: Confidence
    alternatives: tuple[Cause, ...] = ()
    reply_code: int | None = None
    status: str | None = None
    provider: Provider | None = None
    speaker: Provider | None = None
    listing: Listing | None = None
    rule: str | None = None
    token: str | None = None
    evidence: Evidence | None = None
    details: Details = Details()
    meaning: str = ""
    remedy: str = ""
    links: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    retry_after: int | None = None
    label: str | None = None
    notes: tuple[str, ...] = ()
    rules: str = ""
    """The hash of the rule set that decided."""


@attrs.frozen
class Delivery:
    """What a notice says about one recipient (RFC 3464 section 2.3), and what bouncekit makes of it."""

    verdict: Verdict
    final_recipient: str | None = None
    original_recipient: str | None = None
    action: str | None = None
    status: str | None = None
    remote_mta: str | None = None
    diagnostic_code: str | None = None
    command: str | None = None
    last_attempt: datetime | None = None
    will_retry_until: datetime | None = None
    sending_ip: str | None = None


@attrs.frozen
class Original:
    """What the returned part of a notice says about the mail that bounced."""

    message_id: str | None = None
    subject: str | None = None
    sender: str | None = None
    envelope_sender: str | None = None
    recipients: tuple[str, ...] = ()
    date: datetime | None = None
    headers: tuple[tuple[str, str], ...] = ()
    feedback_id: str | None = None
    list_id: str | None = None
    verp: str | None = None


@attrs.frozen
class Feedback:
    """The fields of a feedback report (RFC 5965 section 3)."""

    feedback_type: str
    source_ip: str | None = None
    original_mail_from: str | None = None
    original_rcpt_to: tuple[str, ...] = ()
    reported_domain: tuple[str, ...] = ()
    reported_uri: tuple[str, ...] = ()
    user_agent: str | None = None
    incidents: int = 1


@attrs.frozen
class Report:
    """What one message says."""

    kind: Kind
    format: str | None = None
    deliveries: tuple[Delivery, ...] = ()
    reporting_mta: str | None = None
    arrival_date: datetime | None = None
    envelope_id: str | None = None
    original: Original | None = None
    origin: Origin = Origin.UNVERIFIED
    feedback: Feedback | None = None
    notes: tuple[str, ...] = ()
    rules: str = ""
    """The hash of the rule set that decided."""

    def verified(self, is_ours: Callable[[Report], bool]) -> Report:
        """Say whose mail this report is about, from the caller's own knowledge.

        A foreign report (backscatter, a forged bounce) says nothing about the sender's list: its advice
        never is `suppress`.

        :param is_ours: told this report, returns whether the mail was sent by the caller.
        :returns: the same report with its origin set; the report itself stays as it is.
        """
        if is_ours(self):
            return attrs.evolve(self, origin=Origin.OURS)
        return attrs.evolve(
            self,
            origin=Origin.FOREIGN,
            deliveries=tuple(
                attrs.evolve(d, verdict=attrs.evolve(d.verdict, advice=Advice.REVIEW))
                if d.verdict.advice is Advice.SUPPRESS
                else d
                for d in self.deliveries
            ),
        )


@attrs.frozen
class Observation:
    """One answer of one server, as a mailing system saw it. `extra` keeps what else the record said."""

    at: datetime
    sender_ip: str | None = None
    sender_domain: str | None = None
    recipient: str | None = None
    host: str | None = None
    reply: str | None = None
    verdict: Verdict | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, hash=False)
