"""Operations that use links in mails: verifying and changing addresses, and resetting passwords.

Operations that are open to anonymous callers answer the same, send the same statements and take the same time whether
or not an address has an account, which a job looks for.
"""

from __future__ import annotations

from pydantic import SecretStr
from sqlalchemy import select  # noqa: TID251 - the mailed token is the permission

from services.catalogue import Call, InputModel, procedure
from services.catalogue.jobs import Work, job
from services.catalogue.problems import CONFLICT, TOO_MANY_REQUESTS
from services.identity.accounts.schemas import AddressInput, ChangeEmailInput, MailedTokenInput, ResetPasswordInput
from services.identity.auth.models import Session
from services.identity.auth.notices import address_changed, tell
from services.identity.auth.operations import CROWDED, HASHING, check_password, end_sessions, password_changed
from services.identity.auth.passwords import Passwords
from services.identity.auth.throttle import SignInThrottle
from services.identity.keys.models import ApiKey
from services.identity.mail.jobs import ASKING, LINK, NOTICE, send_link
from services.identity.mail.messages import MailKind
from services.identity.mail.models import Purpose
from services.identity.mail.tokens import forget, spent, usable, use_up
from services.identity.users.models import User
from services.jobs.queue import STATEMENTS, enqueue
from services.storage.base import folded
from services.storage.cascades import Cascades
from services.storage.flushing import flush


class Asked(InputModel):
    """The purpose of a mail and an address, which is secret, as the existence of an account is."""

    purpose: Purpose
    email: SecretStr


@job("mail_link", retries=10, timeout=30)
async def mail_link(work: Work, data: Asked) -> None:
    """Send a link to the account of an address, if there is one that can use it. A second attempt sends no second."""
    statement = select(User).where(folded(User.email) == folded(data.email.get_secret_value()), User.is_active)
    if data.purpose is Purpose.VERIFY_EMAIL:
        statement = statement.where(User.email_verified_at.is_(None))
    async with work.unit_of_work() as call:
        user = (await call.session.execute(statement.with_for_update(key_share=True))).scalar_one_or_none()
        if user is not None:
            await send_link(call, data.purpose, user, user.email, work.id)


@procedure(
    "auth/verify-email", scope=None, problems=[TOO_MANY_REQUESTS], emits="user.email_verified", statements=3,
)  # fmt: skip
async def verify_email(call: Call, data: MailedTokenInput) -> None:
    """Verify an address, with the token of the mail that was sent to it."""
    await call.part(SignInThrottle).address(call.client.address)
    _, user = await use_up(call, Purpose.VERIFY_EMAIL, data.token.get_secret_value())
    user.email_verified_at = user.email_verified_at or call.now
    call.trace.changed = ("email_verified",)


@procedure("auth/resend-verification", scope=None, problems=[TOO_MANY_REQUESTS], statements=STATEMENTS, cost=ASKING)
async def resend_verification(call: Call, data: AddressInput) -> None:
    """Send the mail that verifies an address again. The answer is the same for every address."""
    await _request_mail(call, Purpose.VERIFY_EMAIL, data)


@procedure(
    "auth/change-email", scope="users:write", problems=CROWDED, statements=2 + LINK, cost=HASHING,
)  # fmt: skip
async def change_email(call: Call, data: ChangeEmailInput) -> None:
    """Send a mail to a new address, which becomes the account's once it is confirmed (`confirmEmail`).

    The answer is the same whether or not the address has an account.
    """
    stored = await check_password(call, data.current_password.get_secret_value())
    throttle, by = call.part(SignInThrottle), call.user_id.hex
    await throttle.mail(Purpose.CONFIRM_EMAIL, data.new_email, address=call.client.address, account=by)
    # Locked, so that a concurrent change of password or address either comes first, or deletes the new token.
    unchanged = select(User).where(User.id == call.user_id, User.password_hash == stored, User.is_active)
    user = (await call.session.execute(unchanged.with_for_update(key_share=True))).scalar_one_or_none()
    if user is None:
        raise password_changed()
    call.trace.row, call.trace.changed = user, ()
    await send_link(call, Purpose.CONFIRM_EMAIL, user, data.new_email)


@procedure(
    "auth/confirm-email", scope=None, problems=[CONFLICT, TOO_MANY_REQUESTS], emits="user.email_changed",
    statements=4 + NOTICE, example={"token": "w7Lq5tZcR1eVnB3yH8aPdA"},
)  # fmt: skip
async def confirm_email(call: Call, data: MailedTokenInput) -> None:
    """Change to a new address, with the token of the mail that was sent to it. A verified old address is notified."""
    await call.part(SignInThrottle).address(call.client.address)
    token, user = await use_up(call, Purpose.CONFIRM_EMAIL, data.token.get_secret_value())
    former = user.email if user.email_verified_at is not None else None
    user.email, user.email_verified_at = token.email, call.now
    call.trace.changed = ("email", "email_verified")
    await address_changed(call, user, former)


@procedure("auth/forgot-password", scope=None, problems=[TOO_MANY_REQUESTS], statements=STATEMENTS, cost=ASKING)
async def forgot_password(call: Call, data: AddressInput) -> None:
    """Send a mail with a link to choose a new password. The answer is the same for every address."""
    await _request_mail(call, Purpose.RESET_PASSWORD, data)


@procedure(
    "auth/reset-password", scope=None, problems=CROWDED, emits=("user.password_changed", "session.ended"),
    statements=7 + NOTICE, cost=HASHING,
)  # fmt: skip
async def reset_password(call: Call, data: ResetPasswordInput) -> None:
    """Choose a new password, with the token of a mail. All sessions of the user end; so do the API keys of an account
    whose address was never verified, since somebody else may have created it.
    """
    throttle, secret = call.part(SignInThrottle), data.token.get_secret_value()
    await throttle.address(call.client.address)
    # Checked before the password is hashed, which is expensive, and used up only afterwards.
    if not (await call.session.execute(select(usable(Purpose.RESET_PASSWORD, secret, call.now)))).scalar_one():
        raise spent()
    await call.session.rollback()
    new_hash = await call.part(Passwords).hash(data.new_password.get_secret_value())
    _, user = await use_up(call, Purpose.RESET_PASSWORD, secret)
    was_verified = user.email_verified_at is not None
    user.password_hash, user.email_verified_at = new_hash, user.email_verified_at or call.now
    await flush(call.session)
    call.trace.changed = ("password",)
    # The password may be changed because of an intruder, who may have begun to change the address.
    await forget(call, user.id, Purpose.RESET_PASSWORD, Purpose.CONFIRM_EMAIL)
    if not was_verified:
        await call.part(Cascades).delete_where(call.session, ApiKey, ApiKey.user_id == user.id)
    # Announce the user too, on whom the API keys depend.
    await end_sessions(call, Session.user_id == user.id, others=[user.id])
    await tell(call, MailKind.PASSWORD_CHANGED, user)
    await throttle.succeeded(user.id.hex, user.username, user.email)


async def _request_mail(call: Call, purpose: Purpose, data: AddressInput) -> None:
    throttle = call.part(SignInThrottle)
    await throttle.address(call.client.address)
    await throttle.mail(purpose, data.email, address=call.client.address)
    await enqueue(call, mail_link, Asked(purpose=purpose, email=SecretStr(data.email)))
