"""Secrets of API keys: `hgw_`, 32 random letters and digits, and a checksum of 6.

The checksum (CRC-32 in base 62) is no protection: it lets secret scanners recognise a leaked key, and the gateway
refuse a mistyped one without asking the database. A secret has 190 random bits, so a plain SHA-256 is stored.
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
_RANDOM_LENGTH: Final = 32
_CHECKSUM_LENGTH: Final = 6
_FORM: Final = re.compile(rf"{KEY_PREFIX}([0-9A-Za-z]{{{_RANDOM_LENGTH}}})([0-9A-Za-z]{{{_CHECKSUM_LENGTH}}})")


def new_secret() -> str:
    body = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return f"{KEY_PREFIX}{body}{_checksum(body)}"


def is_secret(text: str) -> bool:
    """Return whether a text has the form of a secret, with a correct checksum."""
    match = _FORM.fullmatch(text)
    return match is not None and _checksum(match[1]) == match[2]


def hash_of(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def hint_of(secret: str) -> str:
    return f"{KEY_PREFIX}…{secret[-4:]}"


def _checksum(body: str) -> str:
    number, digits = crc32(body.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
