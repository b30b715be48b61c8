"""Mails: enqueued within the caller's transaction, sent by jobs."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from pydantic import SecretStr
from sqlalchemy import ColumnElement, select  # noqa: TID251 - a worker is no caller

from services.catalogue import Call, InputModel, Instant
from services.catalogue.jobs import PermanentError, Work, job
from services.identity.mail.config import MailConfig
from services.identity.mail.mailer import deliver
from services.identity.mail.messages import MailKind, compose
from services.identity.mail.models import MailToken, Purpose
from services.identity.mail.tokens import LIFETIMES, issue, usable
from services.identity.users.models import User
from services.jobs.queue import STATEMENTS, enqueue
from services.storage.sweeping import sweep_all

NOTICE: Final = STATEMENTS
"""SQL statements that a mail adds to an operation."""
ASKING: Final = 5
"""Points of requesting a mail."""
LINK: Final = STATEMENTS + 1
"""SQL statements that a mail with a link adds to an operation."""

PAGES: Final = {
    MailKind.VERIFY_EMAIL: "verify-email",
    MailKind.CONFIRM_EMAIL: "confirm-email",
    MailKind.RESET_PASSWORD: "reset-password",
    MailKind.INVITATION: "accept-invitation",
}
"""Pages below ACCOUNT_URL to which the links of mails lead."""

log = structlog.get_logger(__name__)


class Mail(InputModel):
    """A mail: address and name of the recipient, token and expiry of its link, and the values of its template."""

    kind: MailKind
    to: str
    name: str = ""
    token: SecretStr = SecretStr("")
    good_until: Instant | None = None
    facts: dict[str, str] = {}


async def send_link(call: Call, purpose: Purpose, user: User, email: str, key: UUID | None = None) -> None:
    """Mail a link for this purpose to an address of a user. With a `key` it is sent once."""
    if not call.part(MailConfig).is_on:
        return
    token = await issue(call, purpose, user.id, email, key)
    if token is not None:
        hours = LIFETIMES[purpose] // timedelta(hours=1)
        mail = Mail(
            kind=MailKind(purpose.value), to=email, name=user.username, token=SecretStr(token),
            good_until=call.now + LIFETIMES[purpose], facts={"hours": "1 hour" if hours == 1 else f"{hours} hours"},
        )  # fmt: skip
        await enqueue(call, deliver_mail, mail)


async def send_notice(call: Call, kind: MailKind, email: str, name: str, **facts: str) -> None:
    """Mail a notice to an address. `facts` are the values of its template."""
    if call.part(MailConfig).is_on:
        at = call.now.strftime("%Y-%m-%d %H:%M UTC")
        await enqueue(call, deliver_mail, Mail(kind=kind, to=email, name=name, facts={"at": at, **facts}))


@job("deliver_mail", retries=26, timeout=120)
async def deliver_mail(work: Work, data: Mail) -> None:
    """Send a mail, unless its link has become invalid: used, deleted, or of a closed account."""
    token = data.token.get_secret_value()
    await send(work, data, usable(Purpose(data.kind.value), token, work.now) if token else None)


async def send(work: Work, data: Mail, condition: ColumnElement[bool] | None = None) -> None:
    """Send a mail, unless a condition on the database does not hold. Raise PermanentError if its link has expired."""
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
        link=_link(config, data), values={"name": data.name, **data.facts},
    )  # fmt: skip
    await deliver(config, work.id.hex, message)


def _link(config: MailConfig, data: Mail) -> str:
    """Return the link of a mail, or an empty string. Its token is in the fragment, which browsers do not send."""
    if data.kind not in PAGES:
        return ""
    if not config.account_url:
        raise PermanentError("The target of its link is unknown: set PUBLIC_URL or ACCOUNT_URL, and retry this job.")
    return f"{config.account_url}/{PAGES[data.kind]}#token={data.token.get_secret_value()}"


@job("sweep_mail_tokens", cron="27 * * * *", timeout=3600)
async def sweep_mail_tokens(work: Work) -> None:
    await sweep_all(work, MailToken.expires_at, work.now)
