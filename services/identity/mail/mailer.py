"""Delivery of mails to a mail server (RFC 5321), or into a folder during development."""

from __future__ import annotations

import asyncio
from email.message import EmailMessage

import aiosmtplib

from services.catalogue.jobs import PermanentError
from services.identity.mail.config import MailConfig
from services.identity.mail.folder import MailFolder


class NotSentError(Exception):
    """A mail was not accepted, but may be later. The message contains no personal data."""


async def deliver(config: MailConfig, name: str, message: EmailMessage) -> None:
    """Deliver a mail, to a folder under `name`. Raise PermanentError, and NotSentError for a temporary failure."""
    if not config.host:
        if config.folder is None:
            raise PermanentError("There is no mail server: set SMTP_HOST, and try this job again.")
        return await asyncio.to_thread(MailFolder(config.folder).keep, name, message.as_bytes())
    try:
        await aiosmtplib.send(
            message, hostname=config.host, port=config.port, timeout=config.timeout,
            username=config.username or None, password=config.password or None,
            use_tls=config.security == "tls", start_tls=config.security == "starttls",
        )  # fmt: skip
    except aiosmtplib.SMTPRecipientsRefused as refused:
        raise _refusal(refused.recipients[0].code, "the recipient") from None
    except (aiosmtplib.SMTPRecipientRefused, aiosmtplib.SMTPDataError) as refused:
        raise _refusal(refused.code, "the mail") from None
    except aiosmtplib.SMTPNotSupported:
        raise PermanentError("The mail server cannot write to such an address.") from None
    except aiosmtplib.SMTPResponseException as answer:
        # About the gateway, not the recipient: a wrong password or sender, which the operator may correct.
        raise NotSentError(f"The mail server says {answer.code} to {type(answer).__name__}.") from None
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        # Without the error's message, which may quote the server's, and contain personal data.
        raise NotSentError(f"The mail server cannot be reached, or falls silent ({type(error).__name__}).") from None


def _refusal(code: int, refused: str) -> Exception:
    """Return the error of a reply code: 5xx is permanent, 4xx temporary (RFC 5321, 4.2.1)."""
    if code >= 500:
        return PermanentError(f"The mail server refuses {refused} for good ({code}).")
    return NotSentError(f"The mail server refuses {refused} for now ({code}).")
