"""Addresses and forgotten passwords, as they come in."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from services.catalogue import InputModel
from services.identity.auth.schemas import GivenPassword
from services.identity.users.schemas import Email, Password

MailedToken = Annotated[
    SecretStr,
    Field(
        min_length=1,
        max_length=200,
        description="What the link in the mail carries behind `#token=`.",
        examples=["Yk3v0eJc5tqKqO0w1mZb7w"],
    ),
]


class MailedTokenInput(InputModel):
    """What a mail has brought."""

    token: MailedToken


class AddressInput(InputModel):
    """An address, of an account or not."""

    email: Email


class ChangeEmailInput(InputModel):
    """The new address, and the password, which a stolen session does not have."""

    new_email: Email
    current_password: GivenPassword


class ResetPasswordInput(InputModel):
    """What a mail has brought, and the new password."""

    token: Annotated[MailedToken, Field(examples=["n2Xr8bQdT4mUoL6hJ0sKfg"])]
    new_password: Password
