"""Who is calling: the user of a signed token, verified on every request."""

from __future__ import annotations

import os
from typing import Annotated
from uuid import UUID

from fastapi import Depends, HTTPException
from fastapi.requests import HTTPConnection
from jose import JWTError, jwt

_SECRET = os.environ["SECRET_KEY"]


async def current_user(connection: HTTPConnection) -> UUID:
    """The caller's key. Answers 401 without a good token."""
    scheme, _, token = connection.headers.get("Authorization", "").partition(" ")
    try:
        if scheme.lower() != "bearer":
            raise ValueError(scheme)
        return UUID(jwt.decode(token, _SECRET, algorithms=["HS256"])["sub"])
    except (JWTError, KeyError, ValueError):
        raise HTTPException(401, "Not authenticated", {"WWW-Authenticate": "Bearer"}) from None


CurrentUser = Annotated[UUID, Depends(current_user)]
