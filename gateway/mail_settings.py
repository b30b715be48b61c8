"""The settings of mails."""

from __future__ import annotations

from email.errors import HeaderParseError
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Annotated, Final, Literal

import limits
from pydantic import AfterValidator, Field, PositiveFloat, SecretStr, field_validator
from pydantic_settings import BaseSettings

from services.identity.mail.config import Verification

DEFAULT_SENDER: Final = "Hybrid Gateway <gateway@localhost>"
URL: Final = r"^(https?://[A-Za-z0-9.:\[\]_-]+(/[A-Za-z0-9._~-]+)*)?$"


def rate(example: str) -> AfterValidator:
    """Return a validator of rates in the notation of the library `limits`; its error quotes the example."""

    def check(value: str) -> str:
        try:
            limits.parse_many(value)
        except ValueError as error:
            raise ValueError(f"is not a rate such as '{example}'") from error
        return value

    return AfterValidator(check)


class MailSettings(BaseSettings):
    """The settings of mails among `gateway.settings.Settings`."""

    SMTP_HOST: str = ""
    SMTP_PORT: int = Field(default=587, ge=1, le=65535)
    SMTP_USERNAME: str = ""
    SMTP_PASSWORD: SecretStr | None = None
    SMTP_SECURITY: Literal["starttls", "tls", "none"] = "starttls"
    SMTP_TIMEOUT_SECONDS: PositiveFloat = 10
    MAIL_FROM: str = DEFAULT_SENDER
    ACCOUNT_URL: str = Field(default="", pattern=URL)
    EMAIL_VERIFICATION: Verification = Verification.OPTIONAL
    MAILS_PER_SENDER: Annotated[str, rate("5/hour")] = "20/hour"
    MAILS_PER_ADDRESS: Annotated[str, rate("5/hour")] = "5/hour"

    @field_validator("MAIL_FROM")
    @classmethod
    def _sender(cls, value: str) -> str:
        # Not validate_email, which refuses localhost.
        try:
            address = Address(addr_spec=parseaddr(value)[1])
        except (ValueError, IndexError, HeaderParseError):
            address = Address()
        if not address.username or not address.domain or not value.isprintable():
            raise ValueError("is not an address such as Gateway <gateway@example.org>")
        return value

    def mail_faults(self) -> list[str]:
        """Return a sentence for each setting that is unfit for production."""
        faults = []
        if self.SMTP_HOST and self.MAIL_FROM == DEFAULT_SENDER:
            faults.append("MAIL_FROM must be set in production where SMTP_HOST is: it says whom mails are from")
        if self.SMTP_USERNAME and self.SMTP_SECURITY == "none":
            faults.append("SMTP_SECURITY must not be none in production where SMTP_USERNAME is set")
        return faults
