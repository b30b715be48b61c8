"""Changes of e-mail addresses."""

from __future__ import annotations

from dataclasses import dataclass

from services.catalogue import Call, Problem
from services.identity.auth.notices import ask_to_verify
from services.identity.mail.asking import send_notice
from services.identity.mail.messages import MailKind
from services.identity.mail.models import Purpose
from services.identity.mail.tokens import forget
from services.identity.users.models import User
from services.storage.flushing import flush


@dataclass(frozen=True, slots=True)
class Address:
    """An account's address before a change."""

    email: str
    verified: bool

    @classmethod
    def of(cls, user: User) -> Address:
        return cls(user.email, user.email_verified_at is not None)


def check_may_change_address(call: Call, user: User) -> None:
    """Raise `validation_failed` unless an admin changes another user's account.

    With a stolen session alone it must not be possible to take over an account.
    """
    if not call.actor.is_admin or user.id == call.actor.user_id:
        raise Problem.field("email", "confirmation", "An address is changed by changeEmail, which writes to it first.")


async def address_changed(call: Call, user: User, before: Address) -> None:
    """Invalidate all mailed links, notify the old address, and ask to verify the new one."""
    # The row is written first, so that a concurrent issue of a token either comes before, or sees the new address.
    await flush(call.session)
    await forget(call, user.id, *Purpose)
    await tell_old(call, user, before)
    await ask_to_verify(call, user)


async def tell_old(call: Call, user: User, before: Address) -> None:
    """Notify an account's old address of the change if it was verified, regardless of rate limits."""
    if before.verified:
        await send_notice(call, MailKind.EMAIL_CHANGED, before.email, user.username)
