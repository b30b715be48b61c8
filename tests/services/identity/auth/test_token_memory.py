"""What a worker remembers of tokens: used while nothing speaks against it, and not a moment longer."""

from __future__ import annotations

from time import monotonic, time
from uuid import UUID

import pytest

from services.catalogue import Actor, new_key
from services.identity.auth.memory import REMEMBERED_SECONDS, CredentialCache, VerifiedCredential

TOKEN = "Bearer a.b.c"
HOUR = 3_600


@pytest.fixture
def session() -> UUID:
    return new_key()


@pytest.fixture
def memory(session: UUID) -> CredentialCache:
    """Trusted, with one token in it."""
    found = CredentialCache(2)
    found.trusted_until = monotonic() + HOUR
    remember(found, TOKEN, session)
    return found


def actor_of(memory: CredentialCache, credential: str) -> Actor | None:
    """Who is behind a credential, if nobody need be asked."""
    known = memory.known(credential)
    return known.actor if known is not None else None


def remember(
    memory: CredentialCache, credential: str, session: UUID, *, expires_in: float = HOUR, holds_for: float = HOUR
) -> Actor:
    actor = Actor(new_key(), session)
    now = monotonic()
    memory.remember(credential, VerifiedCredential(actor, time() + expires_in, now, now + holds_for, (session.hex,)))
    return actor


def test_remembered_actor_is_found_by_the_whole_credential_alone(memory: CredentialCache, session: UUID) -> None:
    actor = remember(memory, TOKEN, session)
    assert actor_of(memory, TOKEN) is actor
    assert actor_of(memory, TOKEN[:-1]) is None
    assert actor_of(memory, f"{TOKEN} ") is None


def test_nothing_is_told_before_revocations_are_heard(session: UUID) -> None:
    memory = CredentialCache(2)
    remember(memory, TOKEN, session)
    assert actor_of(memory, TOKEN) is None


@pytest.mark.parametrize("ago", [0, 0.001, HOUR])
def test_nothing_is_told_once_the_time_of_trust_is_over(memory: CredentialCache, ago: float) -> None:
    memory.trusted_until = monotonic() - ago
    assert actor_of(memory, TOKEN) is None
    memory.trusted_until = monotonic() + HOUR
    assert actor_of(memory, TOKEN) is not None
    memory.trusted_until = 0
    assert actor_of(memory, TOKEN) is None


@pytest.mark.parametrize("over", ["expires_in", "holds_for"])
def test_token_is_not_told_once_it_has_expired_or_its_state_has_to_be_asked_again(
    memory: CredentialCache, session: UUID, over: str
) -> None:
    remember(memory, TOKEN, session, **{over: 0})
    assert actor_of(memory, TOKEN) is None


def test_revocation_reaches_every_token_of_a_session_and_no_other(memory: CredentialCache, session: UUID) -> None:
    remember(memory, "Bearer second", session)
    memory.forget([session])
    assert actor_of(memory, TOKEN) is None
    assert actor_of(memory, "Bearer second") is None
    other = remember(memory, "Bearer other", new_key())
    memory.forget([session, new_key()])
    assert actor_of(memory, "Bearer other") is other


def test_missed_revocations_reach_everything(memory: CredentialCache, session: UUID) -> None:
    remember(memory, "Bearer other", new_key())
    memory.forget_all()
    assert actor_of(memory, TOKEN) is None
    assert actor_of(memory, "Bearer other") is None
    actor = remember(memory, TOKEN, session)
    assert actor_of(memory, TOKEN) is actor


@pytest.mark.parametrize("all_of_them", [False, True])
def test_answer_that_was_asked_for_before_a_revocation_is_not_kept(
    memory: CredentialCache, session: UUID, all_of_them: bool
) -> None:
    now = monotonic()
    asked = VerifiedCredential(Actor(new_key(), session), time() + HOUR, now, now + HOUR, (session.hex,))
    if all_of_them:
        memory.forget_all()
    else:
        memory.forget([session])
    memory.remember("Bearer late", asked)
    assert actor_of(memory, "Bearer late") is None


def test_memory_keeps_what_was_used_last(memory: CredentialCache) -> None:
    remember(memory, "Bearer second", new_key())
    assert actor_of(memory, TOKEN) is not None
    for number in range(10):
        remember(memory, f"Bearer {number}", new_key())
        assert actor_of(memory, TOKEN) is not None
    assert len(memory._known) == 2
    assert actor_of(memory, "Bearer second") is None


def test_revocations_are_kept_for_as_long_as_an_older_answer_may_be_fresh(
    memory: CredentialCache, session: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.forget([session])
    memory.forget([new_key()])
    memory.forget([session])
    assert len(memory._revoked_at) == 2
    later = monotonic() + 2 * REMEMBERED_SECONDS + 1
    monkeypatch.setattr("services.identity.auth.memory.monotonic", lambda: later)
    memory.forget([session])
    assert list(memory._revoked_at) == [session.hex]
