"""The secrets of API keys: `hgw_`, 32 random letters and digits, and 6 more that check these.

The checksum (CRC-32, in base 62) is no protection: it lets scanners of code tell a leaked key from a word that looks
like one, and the gateway refuse a mistyped one without asking the database. A secret has 190 random bits, so a plain
SHA-256 of it is all that need be stored.
"""

from __future__ import annotations

import re
import secrets
import string
from hashlib import sha256
from typing import Final
from zlib import crc32

from services.identity.auth.authentication import KEY_PREFIX

_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM: Final = 32
_CHECK: Final = 6
_FORM: Final = re.compile(rf"{KEY_PREFIX}([0-9A-Za-z]{{{_RANDOM}}})([0-9A-Za-z]{{{_CHECK}}})")


def new_secret() -> str:
    """A fresh secret."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))
    return f"{KEY_PREFIX}{body}{_checksum(body)}"


def is_secret(text: str) -> bool:
    """Whether a text has the form of a secret, checksum included."""
    match = _FORM.fullmatch(text)
    return match is not None and _checksum(match[1]) == match[2]


def hash_of(secret: str) -> bytes:
    """What is stored of a secret."""
    return sha256(secret.encode()).digest()


def hint_of(secret: str) -> str:
    """What may be shown of a secret, so that people tell their keys apart."""
    return f"{KEY_PREFIX}…{secret[-4:]}"


def _checksum(body: str) -> str:
    number, digits = crc32(body.encode()), ""
    for _ in range(_CHECK):
        number, place = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[place] + digits
    return digits
