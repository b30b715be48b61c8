from __future__ import annotations

from typing import Annotated
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field, SecretStr, StringConstraints
from pydantic_core import PydanticCustomError

from services.catalogue import Identifier, InputModel, Instant, ReadModel, absent
from services.identity.users.passwords import MAX_LENGTH, prepare_new

UserID = Annotated[UUID, Identifier("usr")]
AvatarID = Annotated[UUID, Identifier("fil")]
"""The identifier of a file. It is defined here since services/files is an optional module."""


def _address(text: str) -> str:
    try:
        return validate_email(text, check_deliverability=False, allow_smtputf8=False).normalized
    except EmailNotValidError:
        raise PydanticCustomError("email", "This is not an e-mail address.") from None


def normalised_email(text: str) -> str:
    """Return an e-mail address in its stored form, and any other text unchanged."""
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError:
        return text


Email = Annotated[
    str,
    StringConstraints(max_length=254),
    AfterValidator(_address),
    Field(
        description="E-mail address, ASCII before the `@`; not at a reserved name such as `.test` or `.local`.",
        examples=["ada@example.com"],
        json_schema_extra={"format": "email"},
    ),
]
Username = Annotated[
    str,
    StringConstraints(min_length=3, max_length=50, pattern=r"^[A-Za-z0-9._-]+$"),
    Field(description="Letters, digits, dot, underscore and hyphen.", examples=["ada"]),
]
FullName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, strip_whitespace=True),
    Field(description="Name as people say it.", examples=["Ada Lovelace"]),
]
Password = Annotated[
    SecretStr,
    AfterValidator(prepare_new),
    Field(min_length=8, max_length=MAX_LENGTH, description="8 to 128 characters.", examples=["correct horse battery"]),
]


class UserRead(ReadModel):
    """A user as others see them."""

    id: UserID
    email: str | None = Field(description="E-mail address; shown to the user themself and to admins, otherwise null.")
    email_verified: bool | None = Field(
        description="Whether the address is verified; shown to those who see the address."
    )
    username: str = Field(description="The name to sign in with and to be invited by.")
    full_name: str | None = Field(description="Name as people say it.")
    is_active: bool = Field(description="Whether the account can be used.")
    is_superuser: bool = Field(description="Whether the user is an admin.")
    avatar_id: AvatarID | None = Field(description="The user's picture, readable by everyone who can read the user.")
    created_at: Instant = Field(description="When the account was created.")
    updated_at: Instant = Field(description="When it was last changed.")


class UserRegister(InputModel):
    """A new account."""

    email: Email
    username: Username
    full_name: FullName | None = None
    password: Password


class UserUpdate(InputModel):
    """Changes to an account; what is left out stays."""

    email: Email = absent()
    username: Username = absent()
    full_name: FullName | None = absent()
