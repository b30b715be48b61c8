"""What is in the audit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import select

from services.engine.audit.models import AuditEvent
from services.engine.gateway import Gateway
from services.identity.auth.tokens import Tokens
from tests.support.accounts import Account

Event = dict[str, Any]
ADDRESS = "127.0.0.1"
"""Where the suite's clients call from."""


def session_of(gateway: Gateway, account: Account) -> UUID:
    """The key of the session that an account is signed in to."""
    return gateway.part(Tokens).verify(account.tokens["access_token"], "access").session_id


async def every_event(gateway: Gateway) -> dict[UUID, Event]:
    """All there are, by their keys, the oldest first."""
    async with gateway.database.reading() as session:
        rows = (await session.execute(select(AuditEvent.__table__).order_by(AuditEvent.id))).mappings()
        return {row["id"]: dict(row) for row in rows}


@asynccontextmanager
async def recorded(gateway: Gateway) -> AsyncIterator[list[Event]]:
    """The events that the block leaves, complete once it has ended; keys, times and request ids left aside."""
    before = await every_event(gateway)
    found: list[Event] = []
    yield found
    for key, event in (await every_event(gateway)).items():
        if key not in before:
            assert len(event["request_id"]) == 32
            found.append(
                {name: value for name, value in event.items() if name not in ("id", "created_at", "request_id")}
            )


def event(gateway: Gateway, actor: Account, operation: str, **more: Any) -> Event:
    """What `recorded` finds of something that an account has done; `more` is what differs from the rest."""
    usual: Event = {
        "user_id": actor.key, "session_id": session_of(gateway, actor), "key_id": None, "as_admin": False,
        "operation": operation, "resource": None, "resource_id": None, "workspace_id": None, "caused_by": None,
        "address": ADDRESS, "outcome": "done", "problem": None, "changed": [],
    }  # fmt: skip
    return {**usual, **more}


def refusal(gateway: Gateway, actor: Account, operation: str, problem: str = "forbidden", **more: Any) -> Event:
    """Likewise, of something that they were refused."""
    return event(gateway, actor, operation, outcome="refused", problem=problem, **more)
