from __future__ import annotations

from typing import Final

import structlog
from pydantic import SecretStr
from sqlalchemy import ColumnElement, select  # noqa: TID251 - a worker is no caller

from services.catalogue import InputModel, Instant
from services.catalogue.jobs import PermanentError, Work, job
from services.identity.mail.config import MailConfig
from services.identity.mail.mailer import Mailer
from services.identity.mail.messages import MailKind, compose
from services.identity.mail.models import MailToken, Purpose
from services.identity.mail.tokens import usable
from services.storage.sweeping import sweep_all

PAGES = {
    MailKind.VERIFY_EMAIL: "verify-email",
    MailKind.CONFIRM_EMAIL: "confirm-email",
    MailKind.RESET_PASSWORD: "reset-password",
    MailKind.INVITATION: "accept-invitation",
}
"""Pages below ACCOUNT_URL to which the links of mails lead."""
_PURPOSES: Final = {MailKind(purpose.value): purpose for purpose in Purpose}

log = structlog.get_logger(__name__)


class Mail(InputModel):
    """A mail: address and name of the recipient, token and expiry of its link, and the values of its template."""

    kind: MailKind
    to: str
    name: str = ""
    token: SecretStr = SecretStr("")
    good_until: Instant | None = None
    facts: dict[str, str] = {}


@job("deliver_mail", retries=26, timeout=120)
async def deliver_mail(work: Work, data: Mail) -> None:
    """Send a mail, unless its link has become invalid: used, deleted, or of a closed account."""
    purpose, token = _PURPOSES.get(data.kind), data.token.get_secret_value()
    await send(work, data, usable(purpose, token, work.now) if purpose is not None else None)


async def send(work: Work, data: Mail, condition: ColumnElement[bool] | None = None) -> None:
    """Send a mail, or skip it if a condition on the database does not hold.

    Raise PermanentError if its link has expired in the meantime.
    """
    if data.good_until is not None and data.good_until <= work.now:
        raise PermanentError("Its link is too old by now.")
    if condition is not None:
        async with work.unit_of_work() as call:
            holds = (await call.session.execute(select(condition))).scalar_one()
        if not holds:
            log.info("mail_not_sent", kind=data.kind.value, id=f"job_{work.id.hex}", why="its link is good for nothing")
            return
    config = work.part(MailConfig)
    message = compose(
        data.kind, key=work.id, to=data.to, sender=config.sender, product=config.product,
        link=link_of(config, data), values={"name": data.name, **data.facts},
    )  # fmt: skip
    await work.part(Mailer).send(work.id.hex, message)


def link_of(config: MailConfig, data: Mail) -> str:
    """Return the link of a mail, or an empty string. Its token is in the fragment, which browsers do not send."""
    page = PAGES.get(data.kind)
    if page is None:
        return ""
    if not config.account_url:
        raise PermanentError("The target of its link is unknown: set PUBLIC_URL or ACCOUNT_URL, and retry this job.")
    return f"{config.account_url}/{page}#token={data.token.get_secret_value()}"


@job("sweep_mail_tokens", cron="27 * * * *", timeout=3600)
async def sweep_mail_tokens(work: Work) -> None:
    """Delete expired tokens."""
    await sweep_all(work, MailToken.expires_at, work.now)
