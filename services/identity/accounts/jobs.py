"""Looking for the account of an address that somebody has typed: afterwards, so that the answer tells nothing of it."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr
from sqlalchemy import ColumnElement, select  # noqa: TID251 - nobody is told what is found

from services.catalogue import InputModel
from services.catalogue.jobs import Work, job
from services.identity.mail.asking import send_link
from services.identity.mail.models import Purpose
from services.identity.users.models import User
from services.storage.base import folded


class Asked(InputModel):
    """What for, and the address, as secret as who has an account is."""

    purpose: Purpose
    email: SecretStr


@job("mail_link", retries=10, timeout=30)
async def mail_link(work: Work, data: Asked) -> None:
    """Send a link to the account of an address, if there is one that has a use for it.

    The token bears the job's key: a second try finds that it is made, and with it its mail.
    """
    async with work.unit_of_work() as call:
        wanted = select(User).where(*_usable(data))
        user = (await call.session.execute(wanted.with_for_update(key_share=True))).scalar_one_or_none()
        if user is not None:
            await send_link(call, data.purpose, user, user.email, work.id)


def _usable(data: Asked) -> list[ColumnElement[bool]]:
    found: list[Any] = [folded(User.email) == folded(data.email.get_secret_value()), User.is_active]
    return [*found, User.email_verified_at.is_(None)] if data.purpose is Purpose.VERIFY_EMAIL else found
