"""API keys as they go in and out, and what is told of credentials."""

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

MAX_GRACE = 30 * 24 * 3600


def _network(text: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        raise PydanticCustomError("network", "This is no network such as 192.0.2.0/24 or 2001:db8::/32.") from None


Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100, strip_whitespace=True),
    Field(description="What it is for.", examples=["Nightly import"]),
]
Scopes = Annotated[
    list[Annotated[str, StringConstraints(max_length=100)]],
    Field(
        min_length=1, max_length=100, description="What it may do, of what its maker may.", examples=[["items:read"]]
    ),
]
Networks = Annotated[
    list[Annotated[str, StringConstraints(max_length=50), AfterValidator(_network)]],
    Field(
        max_length=20, description="Networks it may be used from (CIDR); from anywhere if none is given.",
        examples=[["192.0.2.0/24"]],
    ),
]  # fmt: skip
ExpiresAt = Annotated[Instant, Field(description="When it ends by itself.", examples=["2035-01-31T12:00:00Z"])]
BudgetPerMinute = Annotated[
    int,
    Field(
        ge=1, le=INT32[1], examples=[6000],
        description="Points it may spend in a minute, out of its maker's budget and not more than that; as many as its "
        "maker if left out.",
    ),
]  # fmt: skip
GivenToken = Annotated[
    SecretStr, Field(max_length=4_096, description="An access token, a refresh token or an API key.")
]
Hint = Annotated[
    str,
    StringConstraints(max_length=50),
    Field(description="What kind it is; not needed, and not looked at.", examples=["access_token"]),
]


class ApiKeyRead(ReadModel):
    """An API key as its user, and the owners of its workspace, see it."""

    id: ApiKeyID
    user_id: UserID = Field(description="As whom it acts.")
    workspace_id: WorkspaceID | None = Field(description="The workspace it is bound to; null: all of its user's.")
    name: str = Field(description="What it is for.")
    hint: str = Field(description="How it begins and ends, to be recognised by.")
    scopes: list[str] = Field(description="What it may do.")
    networks: list[str] = Field(description="The networks it may be used from; from anywhere if there are none.")
    created_at: Instant = Field(description="When it was made.")
    rotated_at: Instant | None = Field(description="When it last got another secret.")
    previous_until: Instant | None = Field(description="Until when the secret before the last rotation is good.")
    last_used_at: Instant | None = Field(description="When it was last used, to half a minute.")
    expires_at: Instant | None = Field(description="When it ends by itself.")
    budget_per_minute: Int32 | None = Field(
        description="Points it may spend in a minute, out of its user's budget; null: as many as its user."
    )


class ApiKeyCreate(InputModel):
    """A new API key."""

    name: Name
    scopes: Scopes
    workspace_id: WorkspaceID | None = Field(
        default=None, description="The workspace to bind it to, by one of its owners; all of its maker's if left out."
    )
    expires_at: ExpiresAt | None = None
    networks: Networks = Field(default=[])
    budget_per_minute: BudgetPerMinute | None = None


class ApiKeyRotate(InputModel):
    """How to rotate an API key."""

    grace_seconds: Annotated[int, Field(ge=0, le=MAX_GRACE, examples=[3600])] = Field(
        default=0, description="For how long the old secret is good beside the new one."
    )


class IssuedKey(ResultModel):
    """An API key with its secret, which is shown this once."""

    id: ApiKeyID = Field(description="The key's identifier.")
    secret: str = Field(description="For `Authorization: Bearer …` or `X-API-Key`. Keep it: it is not shown again.")


class CredentialInput(InputModel):
    """A token or a key, as RFC 7662 and RFC 7009 have it."""

    token: GivenToken
    token_type_hint: Hint | None = None


class Introspection(ResultModel):
    """What is known of a token or a key (RFC 7662, section 2.2)."""

    active: bool = Field(description="Whether it is good. If not, nothing else is told.")
    token_type: str | None = Field(default=None, description="`access_token`, `refresh_token` or `api_key`.")
    scope: str | None = Field(default=None, description="What it may do, separated by spaces.")
    sub: UserID | None = Field(default=None, description="As whom it acts.")
    username: str | None = Field(default=None, description="The user's name.")
    exp: int | None = Field(default=None, description="When it expires, in seconds since 1970.")
    workspace_id: WorkspaceID | None = Field(default=None, description="The workspace that a key is bound to.")


class Revocation(ResultModel):
    """The outcome of a revocation: that it is done, whether or not there was anything to revoke (RFC 7009)."""

    ok: bool = Field(default=True, description="Always true.")
