"""Verifying and changing addresses, and forgotten passwords: what is done by links in mails.

What somebody may ask for without signing in says the same, sends the same statements and takes the same time whether
or not an address has an account: that is looked for by a job.
"""

from __future__ import annotations

from typing import Final

from pydantic import SecretStr
from sqlalchemy import select  # noqa: TID251 - of whom a mail has brought the leave

from services.catalogue import Actor, Call, procedure
from services.catalogue.problems import CONFLICT, TOO_MANY_REQUESTS, UNAVAILABLE
from services.identity.accounts.jobs import Asked, mail_link
from services.identity.accounts.schemas import AddressInput, ChangeEmailInput, MailedTokenInput, ResetPasswordInput
from services.identity.auth.addresses import Address, tell_old
from services.identity.auth.models import Session
from services.identity.auth.notices import tell
from services.identity.auth.operations import HASHING, check_password, end_sessions, password_changed
from services.identity.auth.passwords import Passwords
from services.identity.auth.throttle import SignInThrottle
from services.identity.keys.models import ApiKey
from services.identity.mail.asking import LINK, NOTICE, send_link
from services.identity.mail.messages import MailKind
from services.identity.mail.models import MailToken, Purpose
from services.identity.mail.tokens import forget, is_good, spent, use_up
from services.identity.users.models import User
from services.jobs.queue import STATEMENTS, enqueue
from services.storage.base import folded
from services.storage.cascades import Cascades
from services.storage.flushing import flush

ASKING: Final = 5
"""Points of asking for a mail."""
_CROWDED: Final = [TOO_MANY_REQUESTS, UNAVAILABLE]


@procedure(
    "auth/verify-email", scope=None, problems=[TOO_MANY_REQUESTS], emits="user.email_verified", statements=3,
)  # fmt: skip
async def verify_email(call: Call, data: MailedTokenInput) -> None:
    """Say that an address is one's own, with the token of the mail that was sent to it."""
    await call.part(SignInThrottle).address(call.client.address)
    token = await use_up(call, Purpose.VERIFY_EMAIL, data.token.get_secret_value())
    user = await _holder(call, token)
    user.email_verified_at = user.email_verified_at or call.now
    call.trace.changed = ("email_verified",)


@procedure("auth/resend-verification", scope=None, problems=[TOO_MANY_REQUESTS], statements=STATEMENTS, cost=ASKING)
async def resend_verification(call: Call, data: AddressInput) -> None:
    """Have the mail sent again by which an address is verified. The answer is the same for every address."""
    await _ask(call, Purpose.VERIFY_EMAIL, data)


@procedure(
    "auth/change-email", scope="users:write", problems=_CROWDED, statements=2 + LINK, cost=HASHING,
)  # fmt: skip
async def change_email(call: Call, data: ChangeEmailInput) -> None:
    """Have a mail sent to a new address; once it is confirmed (`confirmEmail`) it is the account's.

    The answer is the same whether the address has an account or not.
    """
    stored = await check_password(call, data.current_password.get_secret_value())
    throttle, by = call.part(SignInThrottle), call.user_id.hex
    await throttle.mail(Purpose.CONFIRM_EMAIL, data.new_email, address=call.client.address, account=by)
    # Locked, so that a new password or address comes before this, or finds its token and ends it.
    same = select(User).where(User.id == call.user_id, User.password_hash == stored, User.is_active)
    user = (await call.session.execute(same.with_for_update(key_share=True))).scalar_one_or_none()
    if user is None:
        raise password_changed()
    call.trace.row, call.trace.changed = user, ()
    await send_link(call, Purpose.CONFIRM_EMAIL, user, data.new_email)


@procedure(
    "auth/confirm-email", scope=None, problems=[CONFLICT, TOO_MANY_REQUESTS], emits="user.email_changed",
    statements=4 + NOTICE, example={"token": "w7Lq5tZcR1eVnB3yH8aPdA"},
)  # fmt: skip
async def confirm_email(call: Call, data: MailedTokenInput) -> None:
    """Take a new address over, with the token of the mail that was sent to it. The old one is told, if verified."""
    await call.part(SignInThrottle).address(call.client.address)
    token = await use_up(call, Purpose.CONFIRM_EMAIL, data.token.get_secret_value())
    wanted = select(User).where(User.id == token.user_id, User.is_active).with_for_update(key_share=True)
    user = (await call.session.execute(wanted)).scalar_one_or_none()
    if user is None:
        raise spent()
    _acts(call, user)
    old = Address.of(user)
    user.email, user.email_verified_at = token.email, call.now
    await flush(call.session)
    # What else was sent to either address is about an address that is none any more.
    await forget(call, user.id, *Purpose)
    call.trace.changed = ("email", "email_verified")
    await tell_old(call, user, old)


@procedure("auth/forgot-password", scope=None, problems=[TOO_MANY_REQUESTS], statements=STATEMENTS, cost=ASKING)
async def forgot_password(call: Call, data: AddressInput) -> None:
    """Have a mail sent by which a new password is chosen. The answer is the same for every address."""
    await _ask(call, Purpose.RESET_PASSWORD, data)


@procedure(
    "auth/reset-password", scope=None, problems=_CROWDED, emits=("user.password_changed", "session.ended"),
    statements=7 + NOTICE, cost=HASHING,
)  # fmt: skip
async def reset_password(call: Call, data: ResetPasswordInput) -> None:
    """Choose a new password, with the token of the mail that was sent. All sessions of the user end; so do the API
    keys of an account whose address was never verified, since somebody else may have made it.
    """
    throttle, secret = call.part(SignInThrottle), data.token.get_secret_value()
    await throttle.address(call.client.address)
    # Nothing is hashed for those who have no token; and it is used up only after that.
    if not await is_good(call, Purpose.RESET_PASSWORD, secret):
        raise spent()
    await call.session.rollback()
    new_hash = await call.part(Passwords).hash(data.new_password.get_secret_value())
    token = await use_up(call, Purpose.RESET_PASSWORD, secret)
    user = await _holder(call, token)
    was_verified = user.email_verified_at is not None
    user.password_hash, user.email_verified_at = new_hash, user.email_verified_at or call.now
    await flush(call.session)
    call.trace.changed = ("password",)
    # Whoever began to change the address meanwhile may be whom the password is changed for.
    await forget(call, user.id, Purpose.RESET_PASSWORD, Purpose.CONFIRM_EMAIL)
    if not was_verified:
        await call.part(Cascades).delete_where(call.session, ApiKey, ApiKey.user_id == user.id)
    # What is remembered of keys goes with the user.
    await end_sessions(call, Session.user_id == user.id, others=[user.id])
    await tell(call, MailKind.PASSWORD_CHANGED, user)
    await throttle.succeeded(user.id.hex, user.username, user.email)


async def _ask(call: Call, purpose: Purpose, data: AddressInput) -> None:
    throttle = call.part(SignInThrottle)
    await throttle.address(call.client.address)
    await throttle.mail(purpose, data.email, address=call.client.address)
    await enqueue(call, mail_link, Asked(purpose=purpose, email=SecretStr(data.email)))


async def _holder(call: Call, token: MailToken) -> User:
    """The user of a token, locked, if the address that it was sent to is theirs. Raises as `use_up`."""
    same = folded(User.email) == folded(token.email)
    wanted = select(User).where(User.id == token.user_id, User.is_active, same).with_for_update(key_share=True)
    user = (await call.session.execute(wanted)).scalar_one_or_none()
    if user is None:
        raise spent()
    _acts(call, user)
    return user


def _acts(call: Call, user: User) -> None:
    """Whoever has the mail is the user, for the audit."""
    call.actor, call.trace.row = Actor(user.id), user
