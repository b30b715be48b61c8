"""The kinds of job."""

from __future__ import annotations

import asyncio

from pydantic import SecretStr
from sqlalchemy import text

from services.catalogue import InputModel
from services.catalogue.jobs import PermanentError, Work, job

TABLE = "create table toil (name text not null, attempt integer not null, secret text)"
"""What they write into; it is made by who wants it."""


class Toil(InputModel):
    """What there is to do."""

    name: str
    seconds: float = 0
    failures: int = 0
    hopeless: bool = False


class Secret(InputModel):
    """Something that nobody else may see."""

    name: str
    secret: SecretStr


async def _leave(work: Work, name: str, secret: str | None = None) -> None:
    async with work.unit_of_work() as call:
        values = {"name": name, "attempt": work.attempt, "secret": secret}
        await call.session.execute(text("insert into toil values (:name, :attempt, :secret)"), values)


@job("toil", retries=2, timeout=10)
async def toil(work: Work, data: Toil) -> None:
    """Take a while, leave a row, and fail as often as asked."""
    await asyncio.sleep(data.seconds)
    await _leave(work, data.name)
    if data.hopeless:
        raise PermanentError("There is no point in it.")
    if work.attempt <= data.failures:
        raise RuntimeError(f"try {work.attempt}")


@job("hurry", retries=0, timeout=0.05)
async def hurry(work: Work, data: Toil) -> None:
    """Take longer than there is time for."""
    await asyncio.sleep(10)
    await _leave(work, data.name)


@job("whisper")
async def whisper(work: Work, data: Secret) -> None:
    """Leave a secret."""
    await _leave(work, data.name, data.secret.get_secret_value())


@job("chime", cron="* * * * *")
async def chime(work: Work) -> None:
    """Leave a row each minute."""
    await _leave(work, "chime")
