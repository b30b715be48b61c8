from __future__ import annotations

from typing import Annotated

from pydantic import Field

from services.catalogue import InputModel
from services.identity.auth.schemas import GivenPassword
from services.identity.mail.tokens import MailedToken
from services.identity.users.schemas import Email, Password


class MailedTokenInput(InputModel):
    """The token of a mail."""

    token: Annotated[MailedToken, Field(examples=["Yk3v0eJc5tqKqO0w1mZb7w"])]


class AddressInput(InputModel):
    """An address, which need not have an account."""

    email: Email


class ChangeEmailInput(InputModel):
    """The new address, and the password, which protects against stolen sessions."""

    new_email: Email
    current_password: GivenPassword


class ResetPasswordInput(InputModel):
    """The token of a mail, and the new password."""

    token: Annotated[MailedToken, Field(examples=["n2Xr8bQdT4mUoL6hJ0sKfg"])]
    new_password: Password
