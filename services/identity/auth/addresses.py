"""Addresses that admins change for others."""

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
    """An account's address as it was."""

    email: str
    verified: bool

    @classmethod
    def of(cls, user: User) -> Address:
        """What it is now."""
        return cls(user.email, user.email_verified_at is not None)


def check_may_change_address(call: Call, user: User) -> None:
    """Raises `validation_failed` unless it is an admin and another's account: a stolen session must not be enough to
    come by one.
    """
    if not call.actor.is_admin or user.id == call.actor.user_id:
        raise Problem.field("email", "confirmation", "An address is changed by changeEmail, which writes to it first.")


async def address_changed(call: Call, user: User, before: Address) -> None:
    """Make all links worthless that were sent before; tell the old address, and have the new one verified."""
    # First the row, so that whoever is just issuing a token has done so, or finds the new address.
    await flush(call.session)
    await forget(call, user.id, *Purpose)
    await tell_old(call, user, before)
    await ask_to_verify(call, user)


async def tell_old(call: Call, user: User, before: Address) -> None:
    """Tell an account's old address that there is another, if it was verified; whatever else it was told."""
    if before.verified:
        await send_notice(call, MailKind.EMAIL_CHANGED, before.email, user.username)
