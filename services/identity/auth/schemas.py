from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, SecretStr

from services.catalogue import Identifier, InputModel, Instant, ReadModel, ResultModel
from services.identity.users.passwords import MAX_LENGTH, check_given
from services.identity.users.schemas import Password, UserID

SessionID = Annotated[UUID, Identifier("ses")]
GivenPassword = Annotated[
    SecretStr,
    AfterValidator(check_given),
    Field(description="The password.", examples=["demo-password"], json_schema_extra={"maxLength": MAX_LENGTH}),
]


class LoginInput(InputModel):
    """Credentials."""

    username: Annotated[str, Field(max_length=254, description="User name or e-mail address.", examples=["demo"])]
    password: GivenPassword
    scope: Annotated[str, Field(max_length=2_000, examples=["items:read items:write"])] | None = Field(
        default=None, description="The scopes wanted, separated by spaces; all if left out."
    )


class RefreshInput(InputModel):
    """A refresh token, replaced by its use."""

    refresh_token: Annotated[SecretStr, Field(max_length=4_096, description="The refresh token last received.")]


class ChangePasswordInput(InputModel):
    """The old password and the new one."""

    current_password: GivenPassword
    new_password: Annotated[Password, Field(examples=["demo-password"])]
    """The example is the demo account's password already, so that whoever tries it out can still sign in."""


class TokenPair(ResultModel):
    """The tokens of a session (RFC 6749, 5.1)."""

    access_token: str = Field(description="For `Authorization: Bearer …`.")
    token_type: str = Field(default="bearer", description="Always `bearer`.")
    expires_in: int = Field(description="Seconds until the access token expires.")
    refresh_token: str = Field(description="For `refreshToken`, which replaces it by a new one.")
    scope: str = Field(description="The scopes granted, separated by spaces.")


class SessionRead(ReadModel):
    """A session as its user sees it."""

    id: SessionID
    user_id: UserID = Field(description="The user of the session.")
    device: str = Field(description="The user agent of the client when signing in.")
    address: str = Field(description="The network address it signed in from.")
    scopes: list[str] = Field(description="The scopes of its tokens.")
    created_at: Instant = Field(description="When the user signed in.")
    last_used_at: Instant = Field(description="When it was last used, to half a minute.")
    expires_at: Instant = Field(description="When it ends by itself unless refreshed.")
