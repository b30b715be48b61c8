"""Sending mails, and forgetting tokens that nobody has used."""

from __future__ import annotations

from typing import Final

import structlog
from pydantic import SecretStr
from sqlalchemy import ColumnElement, select  # noqa: TID251 - a worker is no caller

from services.catalogue import InputModel, Instant
from services.catalogue.jobs import HopelessError, Work, job
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
"""Where the links of mails that have one lead, below ACCOUNT_URL."""
_PURPOSES: Final = {MailKind(each.value): each for each in Purpose}

log = structlog.get_logger(__name__)


class Mail(InputModel):
    """A mail to an address: to whom by name, what its link carries and until when, and what else it tells."""

    kind: MailKind
    to: str
    name: str = ""
    token: SecretStr = SecretStr("")
    good_until: Instant | None = None
    facts: dict[str, str] = {}


@job("deliver_mail", retries=26, timeout=120)
async def deliver_mail(work: Work, data: Mail) -> None:
    """Send a mail, unless its link is worth nothing by now: used, replaced, or of an account that is closed."""
    purpose, token = _PURPOSES.get(data.kind), data.token.get_secret_value()
    await send(work, data, usable(purpose, token, work.now) if purpose is not None else None)


async def send(work: Work, data: Mail, condition: ColumnElement[bool] | None = None) -> None:
    """Send a mail, if a condition holds in the database as it is now; else what it is about is no more: it is let go.

    Raises HopelessError for a link that was too long on its way.
    """
    if data.good_until is not None and data.good_until <= work.now:
        raise HopelessError("Its link is too old by now.")
    if condition is not None and not await _holds(work, condition):
        log.info("mail_not_sent", kind=data.kind.value, id=f"job_{work.id.hex}", why="its link is good for nothing")
        return
    config = work.part(MailConfig)
    message = compose(
        data.kind, key=work.id, to=data.to, sender=config.sender, product=config.product,
        link=link_of(config, data), values={"name": data.name, **data.facts},
    )  # fmt: skip
    await work.part(Mailer).send(work.id.hex, message)


async def _holds(work: Work, condition: ColumnElement[bool]) -> bool:
    async with work.unit_of_work() as call:
        return bool((await call.session.execute(select(condition))).scalar_one())


def link_of(config: MailConfig, data: Mail) -> str:
    """The address in a mail. The token is in its fragment, which browsers keep to themselves."""
    page = PAGES.get(data.kind)
    if page is None:
        return ""
    if not config.account_url:
        raise HopelessError("Nobody knows where its link leads: set PUBLIC_URL or ACCOUNT_URL, and try this job again.")
    return f"{config.account_url}/{page}#token={data.token.get_secret_value()}"


@job("sweep_mail_tokens", cron="27 * * * *", timeout=3600)
async def sweep_mail_tokens(work: Work) -> None:
    """Delete the tokens that have expired."""
    await sweep_all(work, MailToken.expires_at, work.now)
