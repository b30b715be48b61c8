"""Accounts to test with."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import httpx

_numbers = count(1)


@dataclass(frozen=True)
class Account:
    """A user who has signed in."""

    id: str
    username: str
    password: str
    tokens: dict[str, Any] = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """What a request of theirs carries."""
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    @property
    def key(self) -> UUID:
        """The user's primary key."""
        return UUID(hex=self.id.removeprefix("usr_"))


async def sign_up(client: httpx.AsyncClient, *, scope: str | None = None, password: str = "correct horse") -> Account:
    """Register somebody new, and sign them in."""
    username = f"user{next(_numbers)}-{uuid4().hex[:8]}"
    data = {"email": f"{username}@example.com", "username": username, "password": password}
    created = await client.post("/api/v1/users", json=data)
    assert created.status_code == 201, created.text
    tokens = await sign_in(client, username, password, scope=scope)
    return Account(created.json()["id"], username, password, tokens)


async def sign_in(
    client: httpx.AsyncClient, username: str, password: str, *, scope: str | None = None
) -> dict[str, Any]:
    """Sign in; returns the tokens."""
    form = {"username": username, "password": password, **({"scope": scope} if scope else {})}
    answer = await client.post("/api/v1/auth/login", data=form)
    assert answer.status_code == 200, answer.text
    tokens: dict[str, Any] = answer.json()
    return tokens


@dataclass(frozen=True)
class KeyHolder(Account):
    """A program that calls as a user, with an API key of theirs."""

    key_id: str = ""
    secret: str = field(default="", repr=False)
    header: str = "Authorization"

    @property
    def headers(self) -> dict[str, str]:
        """The key, in either of the ways to send it."""
        return {self.header: self.secret if self.header == "X-API-Key" else f"Bearer {self.secret}"}
