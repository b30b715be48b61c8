"""Signed links to the bytes of files, usable without other credentials until they expire."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, Literal
from urllib.parse import urlencode
from uuid import UUID

from services.catalogue import Problem
from services.catalogue.problems import INVALID_LINK

Use = Literal["PUT", "GET"]
"""The method of a link: PUT to send the bytes, GET to fetch them."""
_SECONDS: Final = re.compile("[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class FileLinks:
    """Makes and checks links. `base` is the URL above `/files`."""

    key: bytes
    base: str

    def make(self, file: str, key: UUID, use: Use, expires_at: datetime) -> str:
        expires = int(expires_at.timestamp())
        query = urlencode({"expires": expires, "signature": self._sign(key, use, str(expires))})
        return f"{self.base}/files/{file}/content?{query}"

    def check(self, key: UUID, use: Use, expires: str, signature: str, now: datetime) -> None:
        """Raise `invalid_link` if the signature is not that of this file, use and time, or the link has expired."""
        is_number = _SECONDS.fullmatch(expires) is not None
        # compare_digest takes only ASCII as text.
        is_signed = is_number and hmac.compare_digest(self._sign(key, use, expires).encode(), signature.encode())
        if not is_signed or datetime.fromtimestamp(int(expires), UTC) <= now:
            raise Problem(INVALID_LINK)

    def _sign(self, key: UUID, use: Use, expires: str) -> str:
        return hmac.digest(self.key, f"{use}\n{key.hex}\n{expires}".encode(), sha256).hex()
