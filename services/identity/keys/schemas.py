from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, SecretStr, StringConstraints
from pydantic_core import PydanticCustomError

from services.catalogue import Identifier, InputModel, Instant, Int32, ReadModel, ResultModel
from services.catalogue.scalars import INT32
from services.identity.users.schemas import UserID
from services.identity.workspaces.schemas import WorkspaceID

ApiKeyID = Annotated[UUID, Identifier("key")]


def _network(text: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        raise PydanticCustomError("network", "This is no network such as 192.0.2.0/24 or 2001:db8::/32.") from None


class ApiKeyRead(ReadModel):
    """An API key as its user, and the owners of its workspace, see it."""

    id: ApiKeyID
    user_id: UserID = Field(description="The user it acts as.")
    workspace_id: WorkspaceID | None = Field(description="The workspace it is bound to; null: all of its user's.")
    name: str = Field(description="What it is for.")
    hint: str = Field(description="Its first and last characters, for recognition.")
    scopes: list[str] = Field(description="Its scopes.")
    networks: list[str] = Field(description="The networks it may be used from; any if there are none.")
    created_at: Instant = Field(description="When it was created.")
    rotated_at: Instant | None = Field(description="When its secret was last rotated.")
    previous_until: Instant | None = Field(description="Until when the secret before the last rotation is valid.")
    last_used_at: Instant | None = Field(description="When it was last used, to half a minute.")
    expires_at: Instant | None = Field(description="When it expires.")
    budget_per_minute: Int32 | None = Field(
        description="Points it may spend in a minute, out of its user's budget; null: as many as its user."
    )


class ApiKeyCreate(InputModel):
    """A new API key."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)] = Field(
        description="What it is for.", examples=["Nightly import"]
    )
    scopes: list[Annotated[str, StringConstraints(max_length=100)]] = Field(
        min_length=1, max_length=100, description="Its scopes, out of those of its creator.", examples=[["items:read"]]
    )
    workspace_id: WorkspaceID | None = Field(
        default=None, description="A workspace that the caller owns, to bind it to; none if left out."
    )
    expires_at: Annotated[Instant, Field(description="When it expires.", examples=["2035-01-31T12:00:00Z"])] | None = (
        None
    )
    networks: list[Annotated[str, StringConstraints(max_length=50), AfterValidator(_network)]] = Field(
        default=[], max_length=20, description="Networks it may be used from (CIDR); any if none is given.",
        examples=[["192.0.2.0/24"]],
    )  # fmt: skip
    budget_per_minute: Annotated[int, Field(ge=1, le=INT32[1], examples=[6000])] | None = Field(
        default=None,
        description="Points it may spend in a minute, out of its creator's budget and at most that; as many as its "
        "creator if left out.",
    )


class ApiKeyRotate(InputModel):
    """How to rotate an API key."""

    grace_seconds: Annotated[int, Field(ge=0, le=30 * 24 * 3600, examples=[3600])] = Field(
        default=0, description="How long the old secret remains valid, in seconds."
    )


class IssuedKey(ResultModel):
    """An API key with its secret, which is shown only once."""

    id: ApiKeyID = Field(description="The key's identifier.")
    secret: str = Field(description="For `Authorization: Bearer …` or `X-API-Key`. Keep it: it is not shown again.")


class CredentialInput(InputModel):
    """A token or an API key (RFC 7662 and RFC 7009)."""

    token: SecretStr = Field(max_length=4_096, description="An access token, a refresh token or an API key.")
    token_type_hint: Annotated[str, Field(max_length=50, examples=["access_token"])] | None = Field(
        default=None, description="The kind of credential; optional, and ignored."
    )


class Introspection(ResultModel):
    """The state of a token or an API key (RFC 7662, section 2.2)."""

    active: bool = Field(description="Whether it is valid. If not, no other field is set.")
    token_type: str | None = Field(default=None, description="`access_token`, `refresh_token` or `api_key`.")
    scope: str | None = Field(default=None, description="Its scopes, separated by spaces.")
    sub: UserID | None = Field(default=None, description="The user it acts as.")
    username: str | None = Field(default=None, description="The user's name.")
    exp: int | None = Field(default=None, description="When it expires, in seconds since 1970.")
    workspace_id: WorkspaceID | None = Field(default=None, description="The workspace that a key is bound to.")


class Revocation(ResultModel):
    """Success of a revocation, whether or not there was anything to revoke (RFC 7009)."""

    ok: bool = Field(default=True, description="Always true.")
