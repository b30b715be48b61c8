"""The settings of e-mail, and what the mail noun is told of them."""

from __future__ import annotations

from email.errors import HeaderParseError
from email.headerregistry import Address
from email.utils import parseaddr
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import limits
import structlog
from pydantic import Field, PositiveFloat, SecretStr, field_validator
from pydantic_settings import BaseSettings

from gateway.errors import SettingsError
from services.catalogue import Catalogue
from services.mail.config import MailConfig, Verification
from services.mail.jobs import deliver_mail

if TYPE_CHECKING:
    from gateway.settings import Settings

FOLDER: Final = "mail"
"""Below DATA_DIR: where mails are kept that nobody sends."""
ACCOUNT_PATH: Final = "/account"
DEFAULT_SENDER: Final = "Hybrid Gateway <gateway@localhost>"
log = structlog.get_logger(__name__)

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
    MAILS_PER_SENDER: str = "20/hour"
    MAILS_PER_ADDRESS: str = "5/hour"

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

    @field_validator("MAILS_PER_SENDER", "MAILS_PER_ADDRESS")
    @classmethod
    def _known_mail_rate(cls, value: str) -> str:
        try:
            limits.parse_many(value)
        except ValueError as error:
            raise ValueError("is not a rate such as '5/hour'") from error
        return value

    def mail_faults(self) -> list[str]:
        """What is wrong in production with what is set, a sentence each."""
        found = []
        if self.SMTP_HOST and self.MAIL_FROM == DEFAULT_SENDER:
            found.append("MAIL_FROM must be set in production where SMTP_HOST is: it says whom mails are from")
        if self.SMTP_USERNAME and self.SMTP_SECURITY == "none":
            found.append("SMTP_SECURITY must not be none in production where SMTP_USERNAME is set")
        return found


def keeps_mails(settings: Settings) -> bool:
    """Whether mails are kept to be looked at instead of being sent."""
    return not settings.SMTP_HOST and not settings.is_production


def mail_folder(settings: Settings) -> Path:
    """Where they are kept."""
    return settings.DATA_DIR / FOLDER


def mail_config(settings: Settings, catalogue: Catalogue) -> MailConfig:
    """What the settings say about mails. Raises SettingsError where they want what the catalogue has not."""
    is_on = deliver_mail.name in catalogue.jobs
    if settings.EMAIL_VERIFICATION is Verification.REQUIRED and not (is_on and "verify_email" in catalogue.operations):
        raise SettingsError("EMAIL_VERIFICATION=required needs services.mail and services.accounts among MODULES.")
    password = settings.SMTP_PASSWORD
    return MailConfig(
        is_on=is_on, host=settings.SMTP_HOST, port=settings.SMTP_PORT, username=settings.SMTP_USERNAME,
        password=password.get_secret_value() if password is not None else "", security=settings.SMTP_SECURITY,
        timeout=settings.SMTP_TIMEOUT_SECONDS, sender=settings.MAIL_FROM, product=settings.PROJECT_NAME,
        account_url=account_url(settings), folder=mail_folder(settings) if keeps_mails(settings) else None,
        verification=settings.EMAIL_VERIFICATION,
    )  # fmt: skip


def account_url(settings: Settings) -> str:
    """Where links in mails lead: as set, else to the gateway's own pages. Never what a request says its host is."""
    if settings.ACCOUNT_URL:
        return settings.ACCOUNT_URL
    if settings.PUBLIC_URL:
        return f"{settings.PUBLIC_URL}{ACCOUNT_PATH}"
    return "" if settings.is_production else f"http://127.0.0.1:8000{ACCOUNT_PATH}"


def warn_of_mail(settings: Settings) -> None:
    """Say at start-up what mails lack to be sent."""
    if settings.is_production and not settings.SMTP_HOST:
        log.warning("no_mail_server", consequence="mails wait as failed jobs", mend="set SMTP_HOST")
    if settings.is_production and not account_url(settings):
        log.warning("no_account_url", consequence="mails with links fail", mend="set PUBLIC_URL or ACCOUNT_URL")
