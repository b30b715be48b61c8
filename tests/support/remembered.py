"""What a worker remembers of a token, and for how long a revoked one is honoured."""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final
from uuid import UUID

import orjson

from gateway.settings import Settings
from services.identity.auth.memory import CredentialCache
from tests.support.accounts import Account
from tests.support.apps import Running

WARM_SECONDS: Final = 10
"""How long a worker may take until it trusts its memory: a new connection, after it has given up an old one."""


def with_redis(settings: Settings, url: str, **others: object) -> Settings:
    """These settings with another Redis."""
    return Settings(_env_file=None, **{**settings.model_dump(), "REDIS_URL": url, **others})


def session_key(account: Account) -> UUID:
    """The primary key of the session that an account's access token belongs to."""
    body = account.tokens["access_token"].split(".")[1]
    return UUID(hex=orjson.loads(urlsafe_b64decode(body + "=="))["sid"].removeprefix("ses_"))


def is_remembered(worker: Running, account: Account) -> bool:
    """Whether the worker would ask nobody who this is."""
    return worker.gateway.part(CredentialCache).known(account.headers["Authorization"]) is not None


async def eventually(condition: Callable[[], Awaitable[bool]], seconds: float = WARM_SECONDS) -> None:
    """Wait for something to come true."""
    deadline = monotonic() + seconds
    while not await condition():
        assert monotonic() < deadline, "this has not come true in time"
        await asyncio.sleep(0.01)


async def warmed(worker: Running, account: Account) -> None:
    """Call until the worker remembers who calls."""

    async def remembered() -> bool:
        assert (await worker.face("rest").call("me", account)).problem is None
        return is_remembered(worker, account)

    await eventually(remembered)


async def refused_within_a_second(worker: Running, account: Account) -> None:
    """No call that starts a second from now, or later, goes well: through neither face."""
    ended = monotonic()
    while True:
        started = monotonic()
        answer = await worker.face("rest").call("me", account)
        if answer.problem is not None:
            break
        assert started - ended < 1, "honoured for longer than a second"
        await asyncio.sleep(0.005)
    assert answer.problem == "invalid_token"
    for face in ("graphql", "rest"):
        assert (await worker.face(face).call("me", account)).problem == "invalid_token"
    assert not is_remembered(worker, account)
