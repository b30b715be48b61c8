"""Passwords as they are compared: prepared by the OpaqueString profile of PRECIS (RFC 8265, 4.2).

The same password typed on another system may come in another normal form, or with another space. A prepared one has
ASCII spaces only and is in NFC; case and width stay.
"""

from __future__ import annotations

from typing import Final

from precis_i18n import get_profile
from pydantic import SecretStr
from pydantic_core import PydanticCustomError

from services.catalogue.text import nfc

MAX_LENGTH: Final = 128
_LONGEST: Final = 4 * MAX_LENGTH
"""Characters of one that is not normalised: a character is decomposed into four at most."""
_PROFILE: Final = get_profile("OpaqueString")


def prepared(password: str) -> str | None:
    """The password in the form that is hashed; None if the profile has none: it holds controls, or characters that
    cannot be seen or are not assigned, or is empty.
    """
    try:
        return str(_PROFILE.enforce(password))
    except UnicodeEncodeError:
        return None


def prepare_new(password: SecretStr) -> SecretStr:
    """A new password, prepared. Raises PydanticCustomError if it cannot be, or is too long to be looked at."""
    text = check_given(password).get_secret_value()
    found = prepared(text)
    if found is None and text:
        raise PydanticCustomError("password", "This password has characters that are not the same on every keyboard.")
    return password if found is None else SecretStr(found)


def check_given(password: SecretStr) -> SecretStr:
    """A password to be verified, as it is: it may have been chosen before they were prepared. Raises
    PydanticCustomError for one that is too long however it is written.
    """
    text = password.get_secret_value()
    if len(text) > MAX_LENGTH and len(nfc(text[: _LONGEST + 1])) > MAX_LENGTH:
        raise PydanticCustomError("too_long", "too long", {"field_type": "Value", "max_length": MAX_LENGTH})
    return password
