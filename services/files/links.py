"""Signed links to the bytes of files: whoever has one may use it until it expires, without other credentials."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, Literal
from urllib.parse import urlencode
from uuid import UUID

from services.catalogue import Problem
from services.catalogue.problems import INVALID_LINK

Use = Literal["PUT", "GET"]
"""What a link is for: to send the bytes, or to fetch them."""
LONGEST_NUMBER: Final = 12
"""Digits of a time in seconds."""


@dataclass(frozen=True, slots=True)
class FileLinks:
    """Makes and checks links. `base` is the address above `/files`."""

    key: bytes
    base: str

    def make(self, file: str, key: UUID, use: Use, expires_at: datetime) -> str:
        """A link to the file of this identifier and key."""
        expires = int(expires_at.timestamp())
        query = urlencode({"expires": expires, "signature": self._sign(key, use, str(expires))})
        return f"{self.base}/files/{file}/content?{query}"

    def check(self, key: UUID, use: Use, expires: str, signature: str, now: datetime) -> None:
        """Raises `invalid_link` unless the signature is that of this file, use and time, and the time has not come."""
        known = expires.isascii() and expires.isdigit() and len(expires) <= LONGEST_NUMBER
        # compare_digest takes only ASCII as text.
        good = known and hmac.compare_digest(self._sign(key, use, expires).encode(), signature.encode())
        if not good or datetime.fromtimestamp(int(expires), UTC) <= now:
            raise Problem(INVALID_LINK)

    def _sign(self, key: UUID, use: Use, expires: str) -> str:
        return hmac.digest(self.key, f"{use}\n{key.hex}\n{expires}".encode(), sha256).hex()
