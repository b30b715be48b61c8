"""Whose key it is, what it was sent with, and how its answer is kept from others' eyes.

Answers hold secrets (tokens, API keys), and requests do (passwords), so nothing of either is in the database as it is.
An answer is encrypted (AES-256-GCM) with a key derived from the process's secret *and* the idempotency key, which is
not stored: with the database and the process's secret in hand, one would still have to guess it. A fingerprint is a
digest keyed in the same way, so that nobody finds a password by trying.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.catalogue.actors import Actor, Client
from services.catalogue.operations import Kind, Operation
from services.process.networks import network_of

_NONCE: Final = 12


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of one caller, sent with one request.

    `id` does not depend on the process's secret: after that has changed, the entry is found still, and refused.
    """

    id: bytes
    fingerprint: bytes
    _seal: bytes = field(repr=False)

    @classmethod
    def of(cls, secret: bytes, who: str, key: str, request: bytes) -> Entry:
        """The entry; `secret` has 32 bytes, `who` no line feed."""
        name = f"{who}\n{key}".encode()

        def derived(purpose: bytes) -> bytes:
            return blake2b(name, key=secret, digest_size=32, person=purpose).digest()

        fingerprint = blake2b(request, key=derived(b"fingerprint"), digest_size=32).digest()
        return cls(sha256(name).digest(), fingerprint, derived(b"answer"))

    @property
    def lock(self) -> int:
        """The number of its advisory lock."""
        return int.from_bytes(self.id[:8], signed=True)

    def sealed(self, answer: bytes) -> bytes:
        """An answer as it is stored; it can be opened in no other row."""
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(self._seal).encrypt(nonce, answer, self.id + self.fingerprint)

    def opened(self, sealed: bytes) -> bytes:
        """The answer again."""
        return AESGCM(self._seal).decrypt(sealed[:_NONCE], sealed[_NONCE:], self.id + self.fingerprint)


def who(actor: Actor, client: Client) -> str:
    """Within which keys are told apart: the API key, the user, or the network of somebody unknown."""
    if actor.key_id is not None:
        return f"key {actor.key_id.hex}"
    if actor.user_id is not None:
        return f"user {actor.user_id.hex}"
    return f"network {network_of(client.address)}"


def request_of(operation: Operation, actor: Actor, asked: bytes, told: Mapping[str, Any]) -> bytes:
    """What must be the same when a key is sent again: operation, row, input, and what is to be shown (`asked`).

    The rights of the credentials are part of it, so that nobody gets with fewer what was shown to more. Procedures
    are about the session they are called in, so that signing out of another one is another request.
    """
    session = actor.session_id if operation.kind is Kind.PROCEDURE else None
    rights = [sorted(actor.scopes), actor.is_admin, actor.workspace_id, session]
    plain = {name: _canonical(value) for name, value in told.items()}
    return orjson.dumps([operation.name, rights, asked.hex(), plain], default=_plain, option=orjson.OPT_SORT_KEYS)


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else str(value)


def _canonical(value: Any) -> Any:
    """A JSON body as what it says, whatever the order of its members."""
    if not isinstance(value, bytes):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value.hex()
