"""Enqueueing of mails within the caller's transaction."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from pydantic import SecretStr

from services.catalogue import Call
from services.identity.mail.config import MailConfig
from services.identity.mail.jobs import Mail, deliver_mail
from services.identity.mail.messages import MailKind
from services.identity.mail.models import Purpose
from services.identity.mail.tokens import LIFETIMES, issue
from services.identity.users.models import User
from services.jobs.queue import STATEMENTS, enqueue

NOTICE: Final = STATEMENTS
"""SQL statements that a mail adds to an operation."""
LINK: Final = STATEMENTS + 1
"""SQL statements that a mail with a link adds to an operation."""


async def send_link(call: Call, purpose: Purpose, user: User, email: str, key: UUID | None = None) -> None:
    """Mail a link for this purpose to an address of a user. With a `key` it is sent once."""
    if not call.part(MailConfig).is_on:
        return
    token = await issue(call, purpose, user.id, email, key)
    if token is not None:
        mail = Mail(
            kind=MailKind(purpose.value), to=email, name=user.username, token=SecretStr(token),
            good_until=call.now + LIFETIMES[purpose], facts={"hours": _hours(LIFETIMES[purpose])},
        )  # fmt: skip
        await enqueue(call, deliver_mail, mail)


async def send_notice(call: Call, kind: MailKind, email: str, name: str, **facts: str) -> None:
    """Mail a notice to an address. `facts` are the values of its template."""
    if call.part(MailConfig).is_on:
        at = call.now.strftime("%Y-%m-%d %H:%M UTC")
        await enqueue(call, deliver_mail, Mail(kind=kind, to=email, name=name, facts={"at": at, **facts}))


def _hours(time: timedelta) -> str:
    hours = round(time.total_seconds() / 3600)
    return "1 hour" if hours == 1 else f"{hours} hours"
