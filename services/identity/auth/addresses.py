from __future__ import annotations

from services.catalogue import Call, Problem
from services.identity.auth.notices import ask_to_verify
from services.identity.mail.enqueueing import send_notice
from services.identity.mail.messages import MailKind
from services.identity.mail.models import Purpose
from services.identity.mail.tokens import forget
from services.identity.users.models import User
from services.storage.flushing import flush


def check_may_change_address(call: Call, user: User) -> None:
    """Raise `validation_failed` unless an admin changes another user's account.

    With a stolen session alone it must not be possible to take over an account.
    """
    if not call.actor.is_admin or user.id == call.actor.user_id:
        raise Problem.field("email", "confirmation", "An address is changed by changeEmail, which writes to it first.")


async def address_changed(call: Call, user: User, former: str | None) -> None:
    """Invalidate all mailed links, notify the former address if it was verified, and ask to verify the new one."""
    # The row is written first, so that a concurrent issue of a token either comes before, or sees the new address.
    await flush(call.session)
    await forget(call, user.id, *Purpose)
    await tell_old(call, user, former)
    await ask_to_verify(call, user)


async def tell_old(call: Call, user: User, former: str | None) -> None:
    """Notify an account's former address, None if it was not verified, of the change, regardless of rate limits."""
    if former is not None:
        await send_notice(call, MailKind.EMAIL_CHANGED, former, user.username)
