"""Preparation of passwords by the OpaqueString profile of PRECIS (RFC 8265, 4.2).

Systems differ in the normal form and the space characters of the same typed password. A prepared password is in NFC
with ASCII spaces; case and width are preserved.
"""

from __future__ import annotations

from typing import Final

from precis_i18n import get_profile
from pydantic import SecretStr
from pydantic_core import PydanticCustomError

from services.catalogue.text import nfc

MAX_LENGTH: Final = 128
_MAX_DECOMPOSED: Final = 4 * MAX_LENGTH
"""Maximum length before normalisation: a character is decomposed into at most four."""
_PROFILE: Final = get_profile("OpaqueString")


def prepared(password: str) -> str | None:
    """Return the form of a password that is hashed; None for characters that the profile disallows, or none at all."""
    try:
        return str(_PROFILE.enforce(password))
    except UnicodeEncodeError:
        return None


def prepare_new(password: SecretStr) -> SecretStr:
    """Prepare a new password. Raise PydanticCustomError if it is disallowed or too long."""
    text = check_given(password).get_secret_value()
    normal = prepared(text)
    if normal is None and text:
        raise PydanticCustomError("password", "This password has characters that are not the same on every keyboard.")
    return password if normal is None else SecretStr(normal)


def check_given(password: SecretStr) -> SecretStr:
    """Return a password as it is, since older hashes are of unprepared ones, unless it is too long in any form."""
    text = password.get_secret_value()
    if len(text) > MAX_LENGTH and len(nfc(text[: _MAX_DECOMPOSED + 1])) > MAX_LENGTH:
        raise PydanticCustomError("too_long", "too long", {"field_type": "Value", "max_length": MAX_LENGTH})
    return password
