"""The grace of refresh tokens, passed without waiting for it."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from services.engine.gateway import Gateway
from services.identity.auth.models import Session
from tests.support.accounts import Account


async def grace_passed(gateway: Gateway, account: Account) -> None:
    """Let the grace after the last refresh of each of the user's sessions be over."""
    long_ago = Session.refreshed_at - timedelta(hours=1)
    async with gateway.database.unit_of_work() as session:
        await session.execute(update(Session).where(Session.user_id == account.key).values(refreshed_at=long_ago))
        await session.commit()
