"""Idempotency keys scoped to callers, fingerprints of requests, and encryption of stored answers.

Answers contain secrets (tokens, API keys), and so do requests (passwords), so neither is stored in the clear. An answer
is encrypted (AES-256-GCM) with a key derived from the process's secret *and* the idempotency key, which is not stored:
the database and the process's secret are not enough to decrypt it. A fingerprint is a digest keyed in the same way, so
that a password cannot be found by trial.
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

    `id` does not depend on the process's secret: after a change of secret the entry is still found, and refused.
    """

    id: bytes
    fingerprint: bytes
    _seal: bytes = field(repr=False)

    @classmethod
    def of(cls, secret: bytes, caller: str, key: str, request: bytes) -> Entry:
        """Return the entry. `secret` has 32 bytes; `caller` contains no line feed."""
        name = f"{caller}\n{key}".encode()

        def derived(purpose: bytes) -> bytes:
            return blake2b(name, key=secret, digest_size=32, person=purpose).digest()

        fingerprint = blake2b(request, key=derived(b"fingerprint"), digest_size=32).digest()
        return cls(sha256(name).digest(), fingerprint, derived(b"answer"))

    @property
    def lock(self) -> int:
        return int.from_bytes(self.id[:8], signed=True)

    def sealed(self, answer: bytes) -> bytes:
        """Return an answer encrypted for storage; it can be decrypted for this row only."""
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(self._seal).encrypt(nonce, answer, self.id + self.fingerprint)

    def opened(self, sealed: bytes) -> bytes:
        return AESGCM(self._seal).decrypt(sealed[:_NONCE], sealed[_NONCE:], self.id + self.fingerprint)


def who(actor: Actor, client: Client) -> str:
    """Return the scope of idempotency keys: the API key, the user, or the network of an anonymous caller."""
    if actor.key_id is not None:
        return f"key {actor.key_id.hex}"
    if actor.user_id is not None:
        return f"user {actor.user_id.hex}"
    return f"network {network_of(client.address)}"


def request_of(operation: Operation, actor: Actor, selection: bytes, inputs: Mapping[str, Any]) -> bytes:
    """Return what must be equal when a key is sent again: operation, `inputs` and the `selection` of the result.

    The rights of the credentials are part of it, so that credentials with fewer rights do not receive an answer made
    for more. For procedures the session is part of it, so that signing out of another session is another request.
    """
    session = actor.session_id if operation.kind is Kind.PROCEDURE else None
    rights = [sorted(actor.scopes), actor.is_admin, actor.workspace_id, session]
    parts = [operation.name, rights, selection.hex(), {name: _canonical(value) for name, value in inputs.items()}]
    return orjson.dumps(
        parts, default=lambda value: sorted(value) if isinstance(value, frozenset) else str(value),
        option=orjson.OPT_SORT_KEYS,
    )  # fmt: skip


def _canonical(value: Any) -> Any:
    """Parse a JSON body, so that the order of its members does not matter; return other bytes in hexadecimal."""
    if not isinstance(value, bytes):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value.hex()
