"""Derive the configuration of mails from the settings."""

from __future__ import annotations

from typing import Final

import structlog

from gateway.errors import SettingsError
from gateway.settings import Settings
from services.catalogue import Catalogue
from services.identity.mail.config import MailConfig, Verification
from services.identity.mail.jobs import deliver_mail

FOLDER: Final = "mail"
"""The folder below DATA_DIR for mails that are kept instead of being sent."""
ACCOUNT_PATH: Final = "/account"
log = structlog.get_logger(__name__)


def keeps_mails(settings: Settings) -> bool:
    """Return whether mails are kept for `/dev/mail` instead of being sent."""
    return not settings.SMTP_HOST and not settings.is_production


def mail_config(settings: Settings, catalogue: Catalogue) -> MailConfig:
    """Return the configuration of mails. Raises SettingsError if it needs packages that the catalogue lacks."""
    is_on = deliver_mail.name in catalogue.jobs
    if settings.EMAIL_VERIFICATION is Verification.REQUIRED and not (is_on and "verify_email" in catalogue.operations):
        needed = "services.identity.mail and services.identity.accounts"
        raise SettingsError(f"EMAIL_VERIFICATION=required needs {needed} among MODULES.")
    password = settings.SMTP_PASSWORD
    return MailConfig(
        is_on=is_on, host=settings.SMTP_HOST, port=settings.SMTP_PORT, username=settings.SMTP_USERNAME,
        password=password.get_secret_value() if password is not None else "", security=settings.SMTP_SECURITY,
        timeout=settings.SMTP_TIMEOUT_SECONDS, sender=settings.MAIL_FROM, product=settings.PROJECT_NAME,
        account_url=account_url(settings), folder=settings.DATA_DIR / FOLDER if keeps_mails(settings) else None,
        verification=settings.EMAIL_VERIFICATION,
    )  # fmt: skip


def account_url(settings: Settings) -> str:
    """Return the base URL of links in mails: as set, or the gateway's own pages; never from a request's host."""
    if settings.ACCOUNT_URL:
        return settings.ACCOUNT_URL
    if settings.PUBLIC_URL:
        return f"{settings.PUBLIC_URL}{ACCOUNT_PATH}"
    return "" if settings.is_production else f"http://127.0.0.1:8000{ACCOUNT_PATH}"


def warn_of_mail(settings: Settings) -> None:
    if settings.is_production and not settings.SMTP_HOST:
        log.warning("no_mail_server", consequence="mails wait as failed jobs", hint="set SMTP_HOST")
    if settings.is_production and not account_url(settings):
        log.warning("no_account_url", consequence="mails with links fail", hint="set PUBLIC_URL or ACCOUNT_URL")
