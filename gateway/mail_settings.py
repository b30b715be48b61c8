"""The settings of e-mail."""

from __future__ import annotations

from collections.abc import Iterator
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Final, Literal

from pydantic import Field, PositiveFloat, SecretStr, field_validator
from pydantic_settings import BaseSettings

from gateway.limits import Rate
from services.identity.mail.config import Verification

DEFAULT_SENDER: Final = "Hybrid Gateway <gateway@localhost>"
URL: Final = r"^(https?://[A-Za-z0-9.:\[\]_-]+(/[A-Za-z0-9._~-]+)*)?$"


class MailSettings(BaseSettings):
    """A part of `gateway.settings.Settings`."""

    SMTP_HOST: str = ""
    SMTP_PORT: int = Field(default=587, ge=1, le=65535)
    SMTP_USERNAME: str = ""
    SMTP_PASSWORD: SecretStr | None = None
    SMTP_SECURITY: Literal["starttls", "tls", "none"] = "starttls"
    SMTP_TIMEOUT_SECONDS: PositiveFloat = 10
    MAIL_FROM: str = DEFAULT_SENDER
    ACCOUNT_URL: str = Field(default="", pattern=URL)
    EMAIL_VERIFICATION: Verification = Verification.OPTIONAL
    MAILS_PER_SENDER: Rate = "20/hour"
    MAILS_PER_ADDRESS: Rate = "5/hour"

    @field_validator("MAIL_FROM")
    @classmethod
    def _sender(cls, value: str) -> str:
        # Not validate_email, which knows no localhost.
        try:
            address = Address(addr_spec=parseaddr(value)[1])
        except (ValueError, IndexError, HeaderParseError):
            address = Address()
        if not address.username or not address.domain or not value.isprintable():
            raise ValueError("is not an address such as Gateway <gateway@example.org>")
        return value

    def mail_faults(self) -> Iterator[str]:
        """What is wrong in production with what is set, a sentence each."""
        if self.SMTP_HOST and self.MAIL_FROM == DEFAULT_SENDER:
            yield "MAIL_FROM must be set in production where SMTP_HOST is: it says whom mails are from"
        if self.SMTP_USERNAME and self.SMTP_SECURITY == "none":
            yield "SMTP_SECURITY must not be none in production where SMTP_USERNAME is set"
