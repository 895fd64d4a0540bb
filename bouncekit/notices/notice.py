"""What a notice says, before anybody asks what the refusals mean."""

from __future__ import annotations

from datetime import datetime

import attrs

from bouncekit.model import Feedback, Kind, Original

__all__ = ["Notice", "Recipient"]


@attrs.frozen
class Recipient:
    """What a notice says about one recipient."""

    final_recipient: str | None = None
    original_recipient: str | None = None
    action: str | None = None
    status: str | None = None
    remote_mta: str | None = None
    diagnostic_type: str | None = None
    diagnostic_code: str | None = None
    command: str | None = None
    last_attempt: datetime | None = None
    will_retry_until: datetime | None = None


@attrs.frozen
class Notice:
    """What a notice is and reports. `format` names the reader that understood it."""

    kind: Kind
    format: str | None = None
    recipients: tuple[Recipient, ...] = ()
    reporting_mta: str | None = None
    arrival_date: datetime | None = None
    envelope_id: str | None = None
    envelope_sender: str | None = None
    original: Original | None = None
    feedback: Feedback | None = None
    notes: tuple[str, ...] = ()
