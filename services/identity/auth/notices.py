"""What users are told of by mail, and when a sign-in has to wait for one."""

from __future__ import annotations

from sqlalchemy import select  # noqa: TID251 - of those who sign in

from services.catalogue import Call, Problem
from services.catalogue.problems import EMAIL_UNVERIFIED
from services.identity.auth.models import Session
from services.identity.auth.throttle import SignInThrottle
from services.identity.mail.asking import send_link, send_notice
from services.identity.mail.config import MailConfig, Verification
from services.identity.mail.messages import MailKind
from services.identity.mail.models import Purpose
from services.identity.users.models import User
from services.process.networks import network_of


def check_address(call: Call, user: User) -> None:
    """Raises `email_unverified` where the address has to be verified and is not. The password must be known right."""
    required = call.part(MailConfig).verification is Verification.REQUIRED
    if required and user.email_verified_at is None:
        raise Problem(EMAIL_UNVERIFIED)


async def tell_of_sign_in(call: Call, user: User) -> None:
    """Tell a user of a sign-in by a program, or from a network, that they have no session of; not of the first one.

    To be called before the new session is there.
    """
    device, network = call.client.agent[:300], network_of(call.client.address)
    live = select(Session.device, Session.address).where(Session.user_id == user.id, Session.expires_at > call.now)
    known = {(each.device, network_of(each.address)) for each in await call.session.execute(live.distinct())}
    if not known or (device, network) in known:
        return
    about = {"device": device or "unknown", "address": call.client.address or "unknown"}
    await tell(call, MailKind.NEW_SIGN_IN, user, **about)


async def tell_of_reuse(call: Call, session: Session) -> None:
    """Tell the user of a session that it was ended because its refresh token was used twice."""
    user = (await call.session.execute(select(User).where(User.id == session.user_id))).scalar_one_or_none()
    if user is not None:
        about = {"device": session.device or "unknown", "since": session.created_at.strftime("%Y-%m-%d %H:%M UTC")}
        await tell(call, MailKind.SESSION_REVOKED, user, **about)


async def tell(call: Call, kind: MailKind, user: User, **facts: str) -> None:
    """Tell a user of something, if their address is verified, and not more often than it may be written to.

    An address that nobody has verified may be a stranger's.
    """
    if user.email_verified_at is not None and await call.part(SignInThrottle).may_tell(kind, user.email):
        await send_notice(call, kind, user.email, user.username, **facts)


async def ask_to_verify(call: Call, user: User) -> None:
    """Send the mail by which an address is verified, unless too many were sent for that."""
    if not call.part(MailConfig).verifies:
        return
    try:
        await call.part(SignInThrottle).mail(Purpose.VERIFY_EMAIL, user.email, address=call.client.address)
    except Problem:
        return
    await send_link(call, Purpose.VERIFY_EMAIL, user, user.email)
