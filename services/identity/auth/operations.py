from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

import structlog
from sqlalchemy import (
    ColumnElement,
    and_,
    case,
    func,
    or_,
    select,  # noqa: TID251 - of a caller who is not authenticated yet
    update,  # noqa: TID251 - likewise
)
from sqlalchemy.sql.dml import ReturningUpdate

from services.catalogue import Actor, Call, HandWritten, Problem, new_key, procedure
from services.catalogue.problems import (
    EMAIL_UNVERIFIED,
    FORBIDDEN,
    INVALID_CREDENTIALS,
    INVALID_TOKEN,
    TOO_MANY_REQUESTS,
    UNAVAILABLE,
)
from services.identity.auth.models import Session
from services.identity.auth.notices import address_changed, ask_to_verify, tell, tell_of_reuse, tell_of_sign_in
from services.identity.auth.passwords import Passwords
from services.identity.auth.policy import own
from services.identity.auth.resource import sessions
from services.identity.auth.revocations import Revocations
from services.identity.auth.schemas import ChangePasswordInput, LoginInput, RefreshInput, TokenPair
from services.identity.auth.throttle import SignInThrottle
from services.identity.auth.tokens import Claims, Tokens
from services.identity.mail.config import MailConfig, Verification
from services.identity.mail.jobs import LINK, NOTICE
from services.identity.mail.messages import MailKind
from services.identity.mail.models import Purpose
from services.identity.mail.tokens import forget
from services.identity.users.models import User
from services.identity.users.resource import users
from services.identity.users.schemas import UserRegister, UserUpdate, normalised_email
from services.identity.workspaces.operations import open_workspace, personal_slug
from services.storage.base import folded
from services.storage.cascades import Cascades
from services.storage.flushing import flush
from services.storage.rows import assign

log = structlog.get_logger(__name__)

HASHING = 50
"""Points of a password hash, which takes about as long as fifty small requests."""

CROWDED = [TOO_MANY_REQUESTS, UNAVAILABLE]

login_form = HandWritten(
    "rest",
    "POST /auth/login",
    "The OAuth2 password form (RFC 6749, 4.3), for Swagger UI's Authorize; JSON works as well.",
)

list_sessions = sessions.list(where=own)


def _announce_end(call: Call, session_ids: Collection[UUID], others: Collection[UUID] = ()) -> None:
    revocations = call.part(Revocations)
    call.after_commit.append(lambda: revocations.announce(session_ids, others))


delete_session = sessions.delete(gone=_announce_end)


@users.create(scope=None, problems=CROWDED, emits="user.registered", statements=3 + LINK, cost=HASHING)
async def create_user(call: Call, data: UserRegister) -> User:
    """Sign up: create an account and its personal workspace."""
    await call.part(SignInThrottle).address(call.client.address)
    user = await register(call, data)
    call.actor = Actor(user.id)
    await ask_to_verify(call, user)
    return user


async def register(call: Call, data: UserRegister) -> User:
    password_hash = await call.part(Passwords).hash(data.password.get_secret_value())
    user = User(
        id=new_key(), email=data.email, username=data.username, full_name=data.full_name, password_hash=password_hash
    )
    call.session.add(user)
    await flush(call.session)
    await open_workspace(call, user.id, name="Personal", slug=personal_slug(user.username), personal=True)
    return user


@procedure(
    "auth/login",
    scope=None,
    problems=[INVALID_CREDENTIALS, EMAIL_UNVERIFIED, *CROWDED],
    emits="session.created",
    statements=5 + NOTICE,
    cost=HASHING,
)
async def login(call: Call, data: LoginInput) -> TokenPair:
    """Sign in with user name or e-mail address and password."""
    scopes = _granted(call, data.scope)
    user = await _verified_user(call, data.username, data.password.get_secret_value())
    if call.part(MailConfig).verification is Verification.REQUIRED and user.email_verified_at is None:
        raise Problem(EMAIL_UNVERIFIED)
    await tell_of_sign_in(call, user)
    session = Session(
        id=new_key(), user_id=user.id, device=call.client.agent[:300], address=call.client.address[:45],
        scopes=sorted(scopes), created_at=call.now, last_used_at=call.now,
        expires_at=call.now + call.part(Tokens).lifetime("refresh"),
    )  # fmt: skip
    call.session.add(session)
    call.actor, call.trace.row = Actor(user.id, session.id), session
    return _pair(call, session.id, user.id, scopes, 0)


@procedure("auth/refresh", scope=None, problems=[INVALID_TOKEN], emits="session.refreshed", statements=4 + NOTICE)
async def refresh_token(call: Call, data: RefreshInput) -> TokenPair:
    """Get new tokens for a refresh token. Each use replaces it; for some seconds afterwards (the setting
    REFRESH_GRACE_SECONDS) the replaced token still yields its successor. Using an older one ends the session.
    """
    tokens = call.part(Tokens)
    claims = tokens.verify(data.refresh_token.get_secret_value(), "refresh")
    call.actor = Actor(claims.user_id, claims.session_id)
    row = (await call.session.execute(_next_generation(call, claims))).one_or_none()
    if row is not None:
        if row.again:
            log.info("refresh_token_answered_again", session=f"ses_{claims.session_id.hex}")
        call.trace.repeated = row.again
        return _pair(call, claims.session_id, claims.user_id, frozenset(row.scopes), claims.generation + 1)
    reused = select(Session).where(Session.id == claims.session_id, Session.generation > claims.generation)
    session = (await call.session.execute(reused.with_for_update())).scalar_one_or_none()
    if session is not None:
        log.warning("refresh_token_reused", session=f"ses_{claims.session_id.hex}", user=f"usr_{claims.user_id.hex}")
        await end_sessions(call, Session.id == claims.session_id)
        await tell_of_reuse(call, session)
    raise Problem(INVALID_TOKEN, keep=True)


@procedure("auth/logout", scope="", problems=[FORBIDDEN], emits="session.ended")
async def logout(call: Call) -> None:
    """Sign out: end the session that the access token belongs to."""
    if call.actor.session_id is None:
        raise Problem(FORBIDDEN, "An API key has no session to end.")
    await end_sessions(call, Session.id == call.actor.session_id)


@procedure("auth/logout-all", scope="sessions:write", emits="session.ended", statements=2)
async def logout_all(call: Call) -> None:
    """Sign out everywhere: end all sessions of the user."""
    await end_sessions(call, Session.user_id == call.user_id)


@procedure(
    "auth/change-password",
    scope="users:write",
    problems=CROWDED,
    emits="user.password_changed",
    statements=6 + NOTICE,
    cost=2 * HASHING,
)
async def change_password(call: Call, data: ChangePasswordInput) -> None:
    """Change the password. All other sessions of the user end."""
    stored = await check_password(call, data.current_password.get_secret_value())
    new_hash = await call.part(Passwords).hash(data.new_password.get_secret_value())
    unchanged = User.password_hash == stored
    changed = update(User).where(User.id == call.user_id, unchanged).values(password_hash=new_hash).returning(User)
    call.trace.row, call.trace.changed = (await call.session.execute(changed)).scalar_one_or_none(), ("password",)
    if call.trace.row is None:
        raise password_changed()
    # The password may be changed because of an intruder, who may have asked for these.
    await forget(call, call.user_id, Purpose.RESET_PASSWORD, Purpose.CONFIRM_EMAIL)
    await end_sessions(call, Session.user_id == call.user_id, Session.id != call.actor.session_id)
    # The caller's own session continues, without the grace period for a copy of its previous refresh token.
    await call.session.execute(update(Session).where(Session.id == call.actor.session_id).values(refreshed_at=None))
    await tell(call, MailKind.PASSWORD_CHANGED, call.trace.row)


async def check_password(call: Call, password: str) -> str:
    """Verify the caller's password, count the attempt, and return the stored hash. Ends the transaction."""
    throttle, account = call.part(SignInThrottle), call.user_id.hex
    await throttle.address(call.client.address)
    await throttle.own(account)
    stored = (await call.session.execute(select(User.password_hash).where(User.id == call.user_id))).scalar_one()
    await call.session.rollback()  # releases the connection while the hash is computed
    is_right, _ = await call.part(Passwords).verify(password, stored)
    if not is_right:
        raise Problem.field("current_password", "wrong", "This is not the current password.")
    await throttle.succeeded(account)
    return stored


def password_changed() -> Problem:
    return Problem.field("current_password", "wrong", "The password was changed in the meantime.")


@users.update(statements=2 + LINK + NOTICE, example={"full_name": "Grace Brewster Hopper"})
async def update_user(call: Call, row: User, data: UserUpdate) -> User:
    """Change a user's own account; admins may change any. One's own address is changed by `changeEmail`."""
    former = row.email if row.email_verified_at is not None else None
    is_new_address = data.changes().get("email", row.email) != row.email
    if is_new_address:
        # With a stolen session alone it must not be possible to take over an account.
        if not call.actor.is_admin or row.id == call.actor.user_id:
            fault = "An address is changed by changeEmail, which writes to it first."
            raise Problem.field("email", "confirmation", fault)
        row.email_verified_at = None
    assign(row, data)
    if is_new_address:
        await address_changed(call, row, former)
        await ask_to_verify(call, row)
    return row


@users.action("deactivate", emits="user.deactivated", statements=3)
async def deactivate_user(call: Call, row: User) -> User:
    """Close an account: its sessions end, and nobody can sign in to it. Admins can open it again."""
    row.is_active = False
    await flush(call.session)
    # These must not be valid again when the account is activated.
    await forget(call, row.id, Purpose.RESET_PASSWORD, Purpose.CONFIRM_EMAIL)
    # Announce the user too, on whom the API keys depend.
    await end_sessions(call, Session.user_id == row.id, others=[row.id])
    return row


@users.action("activate", emits="user.activated")
async def activate_user(call: Call, row: User) -> User:
    """Open a closed account again (admins only)."""
    row.is_active = True
    return row


def _granted(call: Call, scope: str | None) -> frozenset[str]:
    """Return the requested scopes, or all. Raise `validation_failed` for one that does not exist."""
    existing = frozenset(call.part(Tokens).scopes)
    requested = frozenset((scope or "").split()) or existing
    if not requested <= existing:
        raise Problem.field("scope", "choice", "There is no such scope.")
    return requested


async def _verified_user(call: Call, name: str, password: str) -> User:
    """Return the account, locked against deactivation and a change of password until the session is added.

    Raise `invalid_credentials` with the same message and timing for every reason.
    """
    throttle, passwords = call.part(SignInThrottle), call.part(Passwords)
    await throttle.address(call.client.address)
    wanted = folded(normalised_email(name.strip()))
    is_named = or_(folded(User.username) == wanted, folded(User.email) == wanted)
    named = select(User.id, User.password_hash, User.is_active).where(is_named)
    account = (await call.session.execute(named)).one_or_none()
    await call.session.rollback()  # releases the connection while the hash is computed
    call.trace.claimed = account.id if account else None
    await throttle.sign_in(name, account.id.hex if account else None)
    is_right, new_hash = await passwords.verify(password, account.password_hash if account else None)
    if account is None or not is_right or not account.is_active:
        raise Problem(INVALID_CREDENTIALS)
    unchanged = select(User).where(User.id == account.id, User.password_hash == account.password_hash, User.is_active)
    user = (await call.session.execute(unchanged.with_for_update(key_share=True))).scalar_one_or_none()
    if user is None:
        raise Problem(INVALID_CREDENTIALS)
    if new_hash is not None:
        user.password_hash = new_hash
    await throttle.succeeded(user.id.hex, name)
    return user


def _next_generation(call: Call, claims: Claims) -> ReturningUpdate[list[str], bool]:
    """Return the statement that moves a live session to the generation after that of a refresh token.

    Within the grace period, counted from the first use by the database's clock, the session may be there already.
    Concurrent uses are serialised by the row lock.
    """
    grace, current = call.part(Tokens).refresh_grace, Session.generation == claims.generation
    recent = and_(Session.generation == claims.generation + 1, Session.refreshed_at > func.now() - grace)
    answerable = or_(current, recent) if grace else current
    return (
        update(Session)
        .where(Session.id == claims.session_id, answerable, Session.expires_at > call.now)
        .where(Session.user_id.in_(select(User.id).where(User.id == claims.user_id, User.is_active)))
        .values(
            generation=claims.generation + 1, refreshed_at=case((current, func.now()), else_=Session.refreshed_at),
            last_used_at=call.now, expires_at=call.now + call.part(Tokens).lifetime("refresh"),
        )
        .returning(Session.scopes, (Session.refreshed_at != func.now()).label("again"))
    )  # fmt: skip


def _pair(call: Call, session_id: UUID, user_id: UUID, scopes: frozenset[str], generation: int) -> TokenPair:
    tokens = call.part(Tokens)
    access = tokens.issue("access", user_id=user_id, session_id=session_id, now=call.now, scopes=scopes)
    refresh = tokens.issue(
        "refresh", user_id=user_id, session_id=session_id, now=call.now, scopes=scopes, generation=generation
    )
    return TokenPair(
        access_token=access, expires_in=int(tokens.lifetime("access").total_seconds()),
        refresh_token=refresh, scope=" ".join(sorted(scopes)),
    )  # fmt: skip


async def end_sessions(call: Call, *which: ColumnElement[bool], others: Sequence[UUID] = ()) -> None:
    """End the sessions that satisfy these conditions, at least one of which must select the user or the session."""
    _announce_end(call, await call.part(Cascades).delete_where(call.session, Session, *which), others)
