"""Sending mails, and forgetting tokens that nobody has used."""

from __future__ import annotations

from pydantic import SecretStr
from sqlalchemy import delete  # noqa: TID251 - nobody's tokens any more

from services.catalogue import InputModel, Instant
from services.catalogue.jobs import HopelessError, Work, job
from services.mail.config import MailConfig
from services.mail.mailer import Mailer
from services.mail.messages import MailKind, compose
from services.mail.models import MailToken

PAGES = {
    MailKind.VERIFY_EMAIL: "verify-email",
    MailKind.CONFIRM_EMAIL: "confirm-email",
    MailKind.RESET_PASSWORD: "reset-password",
    MailKind.INVITATION: "accept-invitation",
}
"""Where the links of mails that have one lead, below ACCOUNT_URL."""


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
    """Send a mail, unless its link is worth nothing by now."""
    if data.good_until is not None and data.good_until <= work.now:
        raise HopelessError("Its link is too old by now.")
    config = work.part(MailConfig)
    message = compose(
        data.kind, key=work.id, to=data.to, sender=config.sender, product=config.product,
        link=link_of(config, data), values={"name": data.name, **data.facts},
    )  # fmt: skip
    await work.part(Mailer).send(work.id.hex, message)


def link_of(config: MailConfig, data: Mail) -> str:
    """The address in a mail. The token is in its fragment, which browsers keep to themselves."""
    page = PAGES.get(data.kind)
    if page is None:
        return ""
    if not config.account_url:
        raise HopelessError("Nobody knows where its link leads: set PUBLIC_URL or ACCOUNT_URL, and try this job again.")
    return f"{config.account_url}/{page}#token={data.token.get_secret_value()}"


@job("sweep_mail_tokens", cron="27 * * * *")
async def sweep_mail_tokens(work: Work) -> None:
    """Delete the tokens that have expired."""
    async with work.unit_of_work() as call:
        await call.session.execute(delete(MailToken).where(MailToken.expires_at <= work.now))
