"""The job that looks for the account of an address, after the response, which therefore reveals nothing of it."""

from __future__ import annotations

from pydantic import SecretStr
from sqlalchemy import select  # noqa: TID251 - the caller does not learn the result

from services.catalogue import InputModel
from services.catalogue.jobs import Work, job
from services.identity.mail.jobs import send_link
from services.identity.mail.models import Purpose
from services.identity.users.models import User
from services.storage.base import folded


class Asked(InputModel):
    """The purpose of a mail and an address, which is secret, as the existence of an account is."""

    purpose: Purpose
    email: SecretStr


@job("mail_link", retries=10, timeout=30)
async def mail_link(work: Work, data: Asked) -> None:
    """Send a link to the account of an address, if there is one that can use it.

    The token has the job's key, so that a second attempt at the job makes no second token and mail.
    """
    statement = select(User).where(folded(User.email) == folded(data.email.get_secret_value()), User.is_active)
    if data.purpose is Purpose.VERIFY_EMAIL:
        statement = statement.where(User.email_verified_at.is_(None))
    async with work.unit_of_work() as call:
        user = (await call.session.execute(statement.with_for_update(key_share=True))).scalar_one_or_none()
        if user is not None:
            await send_link(call, data.purpose, user, user.email, work.id)
