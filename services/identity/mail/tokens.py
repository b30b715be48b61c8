"""Tokens in mailed links: 32 random bytes, stored as their SHA-256, and valid once, for one purpose."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Final
from uuid import UUID

from pydantic import Field, SecretStr
from sqlalchemy import ColumnElement, Exists, delete, exists, or_, select  # noqa: TID251 - the token is the credential
from sqlalchemy.dialects.postgresql import insert

from services.catalogue import Actor, Call, Problem, new_key
from services.identity.mail.models import MailToken, Purpose
from services.identity.users.models import User
from services.storage.base import folded

MailedToken = Annotated[
    SecretStr, Field(min_length=1, max_length=200, description="The token in the link of the mail, after `#token=`.")
]
LIFETIMES: Final = {
    Purpose.VERIFY_EMAIL: timedelta(hours=24),
    Purpose.CONFIRM_EMAIL: timedelta(hours=24),
    Purpose.RESET_PASSWORD: timedelta(hours=1),
}


def new_token() -> str:
    """Return a random token: 43 characters of base64url (RFC 4648, 5)."""
    return secrets.token_urlsafe(32)


def digest_of(token: str) -> bytes:
    """Return the digest that is stored of a token, whose entropy makes salt and iterations unnecessary."""
    return sha256(token.encode()).digest()


async def issue(call: Call, purpose: Purpose, user_id: UUID, email: str, key: UUID | None = None) -> str | None:
    """Store a new token for a user and an address, and return it; None if there is one with this `key` already."""
    token = new_token()
    values = {
        "id": key or new_key(), "purpose": purpose, "digest": digest_of(token), "user_id": user_id, "email": email,
        "created_at": call.now, "expires_at": call.now + LIFETIMES[purpose],
    }  # fmt: skip
    adding = insert(MailToken).values(values).on_conflict_do_nothing(index_elements=[MailToken.id])
    inserted = (await call.session.execute(adding.returning(MailToken.id))).scalar_one_or_none()
    return token if inserted is not None else None


def usable(purpose: Purpose, token: str, now: datetime) -> Exists:
    """Return the condition that a token is valid, and that its user is active and has the address it was sent to.

    A token that confirms a new address is sent to one that the user does not have yet.
    """
    is_same = folded(User.email) == folded(MailToken.email)
    holder = (User.id == MailToken.user_id, User.is_active, or_(MailToken.purpose == Purpose.CONFIRM_EMAIL, is_same))
    return exists().where(*_live(purpose, token, now), *holder)


async def use_up(call: Call, purpose: Purpose, token: str) -> tuple[MailToken, User]:
    """Delete a `usable` token. Return its row and its user, locked, who becomes the actor, for the audit.

    Raise `validation_failed` for any other token.
    """
    used = delete(MailToken).where(*_live(purpose, token, call.now)).returning(MailToken)
    row = (await call.session.execute(used)).scalar_one_or_none()
    if row is None:
        raise spent()
    holder = select(User).where(User.id == row.user_id, User.is_active)
    if purpose is not Purpose.CONFIRM_EMAIL:
        holder = holder.where(folded(User.email) == folded(row.email))
    user = (await call.session.execute(holder.with_for_update(key_share=True))).scalar_one_or_none()
    if user is None:
        raise spent()
    call.actor, call.trace.row = Actor(user.id), user
    return row, user


async def forget(call: Call, user_id: UUID, *purposes: Purpose) -> None:
    sent = delete(MailToken).where(MailToken.user_id == user_id, MailToken.purpose.in_(purposes))
    await call.session.execute(sent)


def spent() -> Problem:
    """Return the Problem for an invalid token: unknown, used, expired, or for another purpose."""
    return Problem.field("token", "invalid", "This link is not good any more. Ask for another one.")


def _live(purpose: Purpose, token: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return MailToken.digest == digest_of(token), MailToken.purpose == purpose, MailToken.expires_at > now
