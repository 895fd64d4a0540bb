"""bouncekit: what mail servers say when they refuse, delay or return mail, as a typed answer.

    report = bouncekit.parse(data)                     # one message -> Report
    verdict = bouncekit.classify("550 5.1.1 ...")      # one SMTP reply -> Verdict
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bouncekit._version import __version__
from bouncekit.model import Report, Stage, Verdict
from bouncekit.rules import RuleError, RuleSet
from bouncekit.serialise import as_dict, as_json

if TYPE_CHECKING:
    from bouncekit.report import Source

__all__ = ["RuleError", "RuleSet", "__version__", "as_dict", "as_json", "classify", "parse"]


def parse(data: Source, *, rules: RuleSet | None = None) -> Report:
    """Read one message: a bounce, a delay notice, a success report, or anything else.

    :param data: bytes, str, bytearray, memoryview, a binary file or an email.message.Message.
    :param rules: the rules to use; default: `RuleSet.default()`.
    :returns: what the message says. What cannot be understood is of kind not_a_bounce, or has the cause
        unknown, with a note; content of the right type never raises.
    :raises TypeError: for data of another type.
    """
    from bouncekit.report import read  # flanker is loaded when a message is parsed, not before

    return read(data, rules or RuleSet.default())


def classify(
    text: str,
    *,
    host: str | None = None,
    recipient: str | None = None,
    command: str | None = None,
    status: str | None = None,
    action: str | None = None,
    diagnostic_type: str | None = None,
    stage: Stage | str | None = None,
    rules: RuleSet | None = None,
) -> Verdict:
    """Say what one SMTP reply means.

    :param text: the reply, of one or several lines, bare or with the words of whoever passed it on.
    :param host: the name of the server that said it (RFC 3464 Remote-MTA).
    :param recipient: the address that the mail was for.
    :param command: the SMTP command that it answered, e.g. "RCPT".
    :param status: the Status field of a notice (RFC 3464 section 2.3.4).
    :param action: the Action field of a notice (RFC 3464 section 2.3.3).
    :param diagnostic_type: the type in front of a Diagnostic-Code, e.g. "smtp" or "x-unix".
    :param stage: when it was said; default: by the action, else "live".
    :param rules: the rules to use; default: `RuleSet.default()`.
    :returns: the verdict; the cause is unknown where nothing is said. No text raises.
    :raises TypeError: where text is no str.
    """
    return (rules or RuleSet.default()).classify(
        text,
        host=host,
        recipient=recipient,
        command=command,
        status=status,
        action=action,
        diagnostic_type=diagnostic_type,
        stage=stage,
    )

