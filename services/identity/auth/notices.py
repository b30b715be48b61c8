"""Mails about sign-ins and addresses."""

from __future__ import annotations

from sqlalchemy import select  # noqa: TID251 - of those who sign in

from services.catalogue import Call, Problem
from services.identity.auth.models import Session
from services.identity.auth.throttle import SignInThrottle
from services.identity.mail.config import MailConfig, Verification
from services.identity.mail.jobs import send_link, send_notice
from services.identity.mail.messages import MailKind
from services.identity.mail.models import Purpose
from services.identity.mail.tokens import forget
from services.identity.users.models import User
from services.process.networks import network_of
from services.storage.flushing import flush


async def tell_of_sign_in(call: Call, user: User) -> None:
    """Notify a user of a sign-in, before its session is added, with a new device or from a new network."""
    device, network = call.client.agent[:300], network_of(call.client.address)
    live = select(Session.device, Session.address).where(Session.user_id == user.id, Session.expires_at > call.now)
    known = {(row.device, network_of(row.address)) for row in await call.session.execute(live.distinct())}
    if known and (device, network) not in known:
        facts = {"device": device or "unknown", "address": call.client.address or "unknown"}
        await tell(call, MailKind.NEW_SIGN_IN, user, **facts)


async def tell_of_reuse(call: Call, session: Session) -> None:
    """Notify the user of a session that it was ended because a refresh token was reused."""
    user = (await call.session.execute(select(User).where(User.id == session.user_id))).scalar_one()
    facts = {"device": session.device or "unknown", "since": session.created_at.strftime("%Y-%m-%d %H:%M UTC")}
    await tell(call, MailKind.SESSION_REVOKED, user, **facts)


async def tell(call: Call, kind: MailKind, user: User, **facts: str) -> None:
    """Send a user a notice, within the rate limit and only to a verified address, since another may be a stranger's."""
    if user.email_verified_at is not None and await call.part(SignInThrottle).may_tell(kind, user.email):
        await send_notice(call, kind, user.email, user.username, **facts)


async def ask_to_verify(call: Call, user: User) -> None:
    """Send the mail that verifies an address, within the rate limit."""
    config = call.part(MailConfig)
    if not config.is_on or config.verification is Verification.OFF:
        return
    try:
        await call.part(SignInThrottle).mail(Purpose.VERIFY_EMAIL, user.email, address=call.client.address)
    except Problem:
        return
    await send_link(call, Purpose.VERIFY_EMAIL, user, user.email)


async def address_changed(call: Call, user: User, former: str | None) -> None:
    """Invalidate all mailed links, and notify the former address if it was verified, regardless of rate limits."""
    # The row is written first, so that a concurrent issue of a token either comes before, or sees the new address.
    await flush(call.session)
    await forget(call, user.id, *Purpose)
    if former is not None:
        await send_notice(call, MailKind.EMAIL_CHANGED, former, user.username)
