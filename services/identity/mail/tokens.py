"""Tokens in links: 32 random bytes, of which the database has the SHA-256; each good for one purpose, once."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Exists, delete, exists, or_, select  # noqa: TID251 - of whose secret it is
from sqlalchemy.dialects.postgresql import insert

from services.catalogue import Call, Problem, new_key
from services.identity.mail.models import MailToken, Purpose
from services.identity.users.models import User
from services.storage.base import folded

LIFETIMES: Final = {
    Purpose.VERIFY_EMAIL: timedelta(hours=24),
    Purpose.CONFIRM_EMAIL: timedelta(hours=24),
    Purpose.RESET_PASSWORD: timedelta(hours=1),
}


def new_token() -> str:
    """A token for a link: 43 characters of base64url (RFC 4648, 5)."""
    return secrets.token_urlsafe(32)


def digest_of(token: str) -> bytes:
    """What is stored of a token. It has entropy enough to need neither salt nor work."""
    return sha256(token.encode()).digest()


async def issue(call: Call, purpose: Purpose, user_id: UUID, email: str, key: UUID | None = None) -> str | None:
    """Make a token for a user and an address.

    With a `key` there is one of it at the most: None if it was made before.
    """
    token = new_token()
    values = {
        "id": key or new_key(), "purpose": purpose, "digest": digest_of(token), "user_id": user_id, "email": email,
        "created_at": call.now, "expires_at": call.now + LIFETIMES[purpose],
    }  # fmt: skip
    adding = insert(MailToken).values(values).on_conflict_do_nothing(index_elements=[MailToken.id])
    made = (await call.session.execute(adding.returning(MailToken.id))).scalar_one_or_none()
    return token if made is not None else None


def usable(purpose: Purpose, token: str, now: datetime) -> Exists:
    """Whether a token could be used: by somebody whose account is open, and has the address that it was sent to.

    One that confirms an address is for one that the account does not have yet.
    """
    theirs = folded(User.email) == folded(MailToken.email)
    holder = (User.id == MailToken.user_id, User.is_active, or_(MailToken.purpose == Purpose.CONFIRM_EMAIL, theirs))
    return exists().where(*_live(purpose, token, now), *holder)


async def is_good(call: Call, purpose: Purpose, token: str) -> bool:
    """Whether a token could be used now."""
    return bool((await call.session.execute(select(usable(purpose, token, call.now)))).scalar_one())


async def use_up(call: Call, purpose: Purpose, token: str) -> MailToken:
    """Use a token, which nobody can do a second time. Raises `validation_failed`, whatever is wrong with it."""
    using = delete(MailToken).where(*_live(purpose, token, call.now)).returning(MailToken)
    found = (await call.session.execute(using)).scalar_one_or_none()
    if found is None:
        raise spent()
    return found


async def forget(call: Call, user_id: UUID, *purposes: Purpose) -> None:
    """Make a user's tokens for these purposes worthless."""
    await call.session.execute(
        delete(MailToken).where(MailToken.user_id == user_id, MailToken.purpose.in_(purposes))
    )  # fmt: skip


def spent() -> Problem:
    """What is said of a token that is good for nothing: unknown, used, too old, or meant for something else."""
    return Problem.field("token", "invalid", "This link is not good any more. Ask for another one.")


def _live(purpose: Purpose, token: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return MailToken.digest == digest_of(token), MailToken.purpose == purpose, MailToken.expires_at > now
