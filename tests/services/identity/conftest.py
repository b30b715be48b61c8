"""Mails as they are sent, without a worker: what was asked for is done when a test says so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import func, select, update

from services.catalogue import ANONYMOUS
from services.engine.gateway import Gateway
from services.identity.mail.config import MailConfig
from services.identity.mail.folder import MailFolder
from services.identity.users.models import User
from services.jobs.models import Job, JobState
from services.jobs.running import Runner
from tests.support.accounts import Account

DELIVERIES: Final = ("deliver_mail", "deliver_invitation")


@dataclass(frozen=True)
class PostOffice:
    """Runs the jobs of mails of a gateway, and keeps what they send in a folder."""

    gateway: Gateway
    folder: Path

    def runner(self, **settings: Any) -> Runner:
        """What runs tries, with other settings of mail."""
        config = replace(self.gateway.part(MailConfig), **{"folder": self.folder, **settings})
        parts = {**self.gateway.parts, MailConfig: config}
        return Runner(self.gateway.catalogue.jobs, parts, lambda: self.gateway.unit_of_work(ANONYMOUS))

    async def waiting(self, name: str | Sequence[str], to: str | None = None) -> list[Job]:
        """The jobs of this name, or these, that are queued (to this address), in order."""
        names = [name] if isinstance(name, str) else name
        wanted = select(Job).where(Job.name.in_(names), Job.state == JobState.QUEUED).order_by(Job.id)
        if to is not None:
            wanted = wanted.where(Job.payload["to"].as_string() == to)
        async with self.gateway.database.reading() as session:
            return list((await session.execute(wanted)).scalars())

    async def job(self, job: Job) -> Job:
        """A job as it is now."""
        async with self.gateway.database.reading() as session:
            return (await session.execute(select(Job).where(Job.id == job.id))).scalar_one()

    async def look_up(self) -> None:
        """Have the accounts looked for of addresses that somebody has typed."""
        for job in await self.waiting("mail_link"):
            await self.runner().run(job.id, job.ticket)
            assert (await self.job(job)).state is JobState.SUCCEEDED

    async def mails(self, to: str) -> list[EmailMessage]:
        """Have everything sent that waits for an address; what that is."""
        await self.look_up()
        found = []
        for job in await self.waiting(DELIVERIES, to):
            mail = await self.deliver(job)
            assert mail is not None
            found.append(mail)
        return found

    async def deliver(self, job: Job) -> EmailMessage | None:
        """Have a job of a mail done, which must succeed; the mail, if it was sent."""
        await self.runner().run(job.id, job.ticket)
        assert (await self.job(job)).state is JobState.SUCCEEDED, (await self.job(job)).error
        return MailFolder(self.folder).mail(job.id.hex)

    async def subjects(self, to: str) -> list[str]:
        """The subjects of these."""
        return [str(each["Subject"]) for each in await self.mails(to)]

    async def token(self, to: str, subject: str) -> str:
        """The token in the last of these, whose subject begins like this."""
        *_, mail = [each for each in await self.mails(to) if str(each["Subject"]).startswith(subject)]
        return token_of(mail)


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    """The text of a mail, or its HTML."""
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def token_of(mail: EmailMessage) -> str:
    """The token in a mail, which is the same in both parts."""
    tokens = {each for kind in ("plain", "html") for each in re.findall(r"#token=([\w-]+)", text_of(mail, kind))}
    (found,) = tokens
    assert isinstance(found, str)
    return found


@pytest.fixture
def post(gateway: Gateway, tmp_path: Path) -> PostOffice:
    """The post office of the suite's gateway."""
    return PostOffice(gateway, tmp_path / "mail")


async def user_of(gateway: Gateway, account: Account) -> User:
    """An account as it is in the database."""
    async with gateway.database.reading() as session:
        return (await session.execute(select(User).where(User.id == account.key))).scalar_one()


async def verified(gateway: Gateway, account: Account) -> Account:
    """An account whose address counts as verified."""
    async with gateway.database.unit_of_work() as session:
        changing = update(User).where(User.id == account.key)
        await session.execute(changing.values(email_verified_at=func.now()))
        await session.commit()
    return account


def address(account: Account) -> str:
    """The address that somebody signed up with."""
    return f"{account.username}@example.com"
