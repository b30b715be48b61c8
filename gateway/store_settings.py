"""The settings of the stores: PostgreSQL, Redis, the data folder and the file store."""

import json
from pathlib import Path
from typing import Annotated

from pydantic import Field, PositiveInt, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from gateway.errors import SettingsError
from services.storage.address import Address, Pooler, parse_address

SCHEMES = {"FILES_URL": ("file", "s3", "gs", "az"), "REDIS_URL": ("redis", "rediss", "unix")}


class StoreSettings(BaseSettings):
    """The settings of the stores among `gateway.settings.Settings`."""

    DATABASE_URL: SecretStr | None = None
    DATABASE_POOLER: Pooler | None = None
    DATABASE_POOL_SIZE: PositiveInt = 10
    DATABASE_READ_URL: SecretStr | None = None
    DATABASE_READ_POOLER: Pooler | None = None
    DATABASE_READ_POOL_SIZE: PositiveInt = 6
    REDIS_URL: SecretStr | None = None
    DATA_DIR: Path = Path(".gateway")
    FILES_URL: SecretStr | None = None
    FILES_STORE: Annotated[dict[str, SecretStr], NoDecode] = {}
    MAX_FILE_BYTES: int = Field(default=1_000_000_000, ge=1, le=2**31 - 1)
    FILES_QUOTA_BYTES: PositiveInt = 10_000_000_000
    FILES_UPLOADS: int = Field(default=32, ge=1, le=1_000)
    FILES_IDLE_SECONDS: float = Field(default=30, gt=0, le=600)
    FILES_LINK_SECONDS: int = Field(default=900, ge=1, le=604_800)
    FILES_PENDING_HOURS: int = Field(default=24, ge=1, le=720)

    @field_validator("DATABASE_URL", "DATABASE_READ_URL")
    @classmethod
    def _postgres_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_address(value.get_secret_value())
        return value

    @field_validator("FILES_STORE", mode="before")
    @classmethod
    def _store_options(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value or "{}")
        except ValueError:
            raise ValueError("is not JSON") from None

    @field_validator("FILES_URL", "REDIS_URL")
    @classmethod
    def _known_scheme(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        *others, last = schemes = SCHEMES[info.field_name or ""]
        if value is not None and value.get_secret_value().partition("://")[0] not in schemes:
            raise ValueError(f"must start with {', '.join(f'{each}://' for each in others)} or {last}://")
        return value

    @field_validator("REDIS_URL")
    @classmethod
    def _redis_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                ConnectionPool.from_url(value.get_secret_value()).make_connection()  # type: ignore[no-untyped-call] # redis-py
            except (TypeError, ValueError, RedisError):
                raise ValueError("is not a URL that redis-py takes, such as redis://:password@host:6379/0") from None
        return value

    @property
    def database_url(self) -> str:
        return _needed(self.DATABASE_URL, "DATABASE_URL").get_secret_value()

    @property
    def database(self) -> Address:
        return parse_address(self.database_url).behind(self.DATABASE_POOLER)

    @property
    def database_for_reading(self) -> Address:
        """The address in DATABASE_READ_URL, behind DATABASE_READ_POOLER; `database` if it is not set."""
        if self.DATABASE_READ_URL is None:
            return self.database
        return parse_address(self.DATABASE_READ_URL.get_secret_value(), prefers="any").behind(self.DATABASE_READ_POOLER)

    @property
    def redis_url(self) -> str:
        return _needed(self.REDIS_URL, "REDIS_URL").get_secret_value()

    @property
    def files_url(self) -> str:
        """FILES_URL as a string; a folder in DATA_DIR if it is not set."""
        if self.FILES_URL is not None:
            return self.FILES_URL.get_secret_value()
        return (self.DATA_DIR.resolve() / "files").as_uri()


def _needed(value: SecretStr | None, name: str) -> SecretStr:
    if value is None:
        raise SettingsError(f"{name} is not set, and no embedded server has been started.")
    return value
