"""What the environment says, checked once at start-up.

`load_settings` is the way in: it gives complete settings, or a `SettingsError` with one sentence per faulty setting.
"""

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import NoDecode, SettingsConfigDict
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from gateway.errors import SettingsError
from gateway.limits import LimitSettings, Rate
from gateway.mail_settings import MailSettings
from gateway.secret import MINIMUM_SECRET_BYTES, development_secret, length_fault, weakness
from services.documents.config import Accepted
from services.storage.address import Address, Pooler, parse_address

__all__ = ["DEFAULT_MODULES", "Settings", "SettingsError", "development_secret", "load_settings"]

# OWASP's and libpass's current argon2id costs: production may only raise them.
ARGON2_TIME_COST = 3
ARGON2_MEMORY_KIB = 65536

FILES_SCHEMES = {"file", "s3", "gs", "az"}
REDIS_SCHEMES = {"redis", "rediss", "unix"}

DEFAULT_MODULES = (
    "services.identity.users",
    "services.identity.auth",
    "services.identity.workspaces",
    "services.engine.audit",
    "services.identity.keys",
    "services.documents",
    "services.engine.idempotency",
    "services.jobs",
    "services.identity.mail",
    "services.identity.accounts",
    "services.identity.invitations",
    "services.files",
    "services.sample.items",
    "services.sample.labels",
    "services.sample.comments",
)


def _distribution_version() -> str:
    try:
        return version("hybrid-gateway")
    except PackageNotFoundError:
        return "0.0.0"


def _split_list(value: object) -> object:
    """Turn `a, b` or `["a", "b"]` from the environment into a list; anything else goes on untouched."""
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith("["):
        return [part.strip() for part in value.split(",") if part.strip()]
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise ValueError("is neither a comma separated list nor a JSON array") from error


TextList = Annotated[list[str], NoDecode, BeforeValidator(_split_list)]


class Settings(MailSettings, LimitSettings):
    """Every setting of the gateway; the only reader of the environment and of `.env`."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        hide_input_in_errors=True,
        validate_default=True,
    )

    PROJECT_NAME: str = "Hybrid Gateway"
    VERSION: str = Field(default_factory=_distribution_version)
    ENVIRONMENT: Literal["development", "test", "production"] = "development"
    PUBLIC_URL: str = Field(default="", pattern=r"^(https?://[A-Za-z0-9.:\[\]_-]+(/[A-Za-z0-9._~-]+)*)?$")
    API_V1_STR: str = Field(default="/api/v1", pattern=r"^(/[A-Za-z0-9._~-]+)+$")
    MODULES: TextList = list(DEFAULT_MODULES)

    DATABASE_URL: SecretStr | None = None
    DATABASE_POOLER: Pooler | None = None
    DATABASE_POOL_SIZE: PositiveInt = 10
    DATABASE_READ_URL: SecretStr | None = None
    DATABASE_READ_POOLER: Pooler | None = None
    DATABASE_READ_POOL_SIZE: PositiveInt = 6
    COMPILED_READS: bool = True
    PLAN_CACHE_SIZE: PositiveInt = 500
    PLAN_ON_SIGHT: PositiveInt = 2
    GRAPHQL_DOCUMENTS: Accepted = Accepted.ANY
    PERSISTED_DOCUMENT_BYTES: PositiveInt = 50_000
    PERSISTED_DOCUMENTS: PositiveInt = 10_000
    PERSISTED_BYTES: PositiveInt = 50_000_000
    PERSISTED_HOURS: PositiveInt = 168
    PERSISTED_WRITES: Rate = "60/minute"
    REDIS_URL: SecretStr | None = None
    DATA_DIR: Path = Path(".gateway")

    SECRET_KEY: SecretStr | None = None
    ALGORITHM: Literal["HS256", "HS384", "HS512"] = "HS256"
    ACCESS_TOKEN_EXPIRE_MINUTES: PositiveInt = 30
    REFRESH_TOKEN_EXPIRE_DAYS: PositiveInt = 30
    REFRESH_GRACE_SECONDS: int = Field(default=10, ge=0, le=300)
    REMEMBERED_TOKENS: PositiveInt = 10_000
    LOGIN_ATTEMPTS_PER_ACCOUNT: Rate = "10/5 minutes"
    LOGIN_ATTEMPTS_PER_ADDRESS: Rate = "60/5 minutes"
    BUDGET_PER_MINUTE: NonNegativeInt = 120_000
    BUDGET_ANONYMOUS_PER_MINUTE: NonNegativeInt = 12_000
    BUDGET_BURST_SECONDS: int = Field(default=60, ge=1, le=86_400)
    BUDGET_LEASE_SECONDS: float = Field(default=2.0, ge=0, le=60)
    GRAPHQL_COST_EXTENSION: bool = False
    PASSWORD_HASH_TIME_COST: PositiveInt = ARGON2_TIME_COST
    PASSWORD_HASH_MEMORY_KIB: int = Field(default=ARGON2_MEMORY_KIB, ge=64)

    BACKEND_CORS_ORIGINS: TextList = []
    FORWARDED_ALLOW_IPS: str = "127.0.0.1"
    REQUIRE_PRECONDITIONS: bool = False
    GRAPHQL_BATCH: NonNegativeInt = 0
    GRAPHQL_UPLOADS: bool = False
    GRAPHQL_WS_INIT_SECONDS: PositiveFloat = 3
    GRAPHQL_WS_OPERATIONS: PositiveInt = 20
    GRAPHQL_WS_MESSAGE_BYTES: PositiveInt = 1_048_576
    IDEMPOTENCY_HOURS: int = Field(default=24, ge=1, le=8760)
    COMPRESSION: bool = True
    COMPRESSION_PREFERS: Literal["gzip", "zstd"] = "gzip"
    JOBS_IN_PROCESS: bool | None = None
    JOBS_CONCURRENCY: int = Field(default=10, ge=2, le=1000)
    JOBS_HEARTBEAT_SECONDS: int = Field(default=30, ge=1, le=3600)
    JOBS_KEPT_DAYS: PositiveInt = 7
    FILES_URL: SecretStr | None = None
    FILES_STORE: Annotated[dict[str, SecretStr], NoDecode] = {}
    MAX_FILE_BYTES: int = Field(default=1_000_000_000, ge=1, le=2**31 - 1)
    FILES_QUOTA_BYTES: PositiveInt = 10_000_000_000
    FILES_UPLOADS: int = Field(default=32, ge=1, le=1_000)
    FILES_IDLE_SECONDS: float = Field(default=30, gt=0, le=600)
    FILES_LINK_SECONDS: int = Field(default=900, ge=1, le=604_800)
    FILES_PENDING_HOURS: int = Field(default=24, ge=1, le=720)
    LOG_LEVEL: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    LOG_FORMAT: Literal["console", "json"] | None = None
    OPENTELEMETRY: bool = False
    METRICS: bool = False
    KEEP_ALIVE_SECONDS: PositiveInt = 75
    SHUTDOWN_DRAIN_SECONDS: int = Field(default=0, ge=0, le=3600)
    SHUTDOWN_GRACE_SECONDS: PositiveInt = 30

    @field_validator("LOG_LEVEL", mode="before")
    @classmethod
    def _upper_case(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("BACKEND_CORS_ORIGINS")
    @classmethod
    def _bare_origins(cls, origins: list[str]) -> list[str]:
        bare = [origin.rstrip("/") for origin in origins]
        if not all(origin == "*" or _is_origin(origin) for origin in bare):
            raise ValueError("must hold origins such as https://app.example.org, without a path")
        return bare

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

    @field_validator("FILES_URL")
    @classmethod
    def _store_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and value.get_secret_value().partition("://")[0] not in FILES_SCHEMES:
            raise ValueError("must start with file://, s3://, gs:// or az://")
        return value

    @field_validator("REDIS_URL")
    @classmethod
    def _redis_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and value.get_secret_value().partition("://")[0] not in REDIS_SCHEMES:
            raise ValueError("must start with redis://, rediss:// or unix://")
        if value is not None:
            try:
                ConnectionPool.from_url(value.get_secret_value()).make_connection()  # type: ignore[no-untyped-call] # redis-py
            except (TypeError, ValueError, RedisError):
                raise ValueError("is not a URL that redis-py takes, such as redis://:password@host:6379/0") from None
        return value

    @model_validator(mode="after")
    def _fit_for_production(self) -> Self:
        faults = [*self._secret_faults(), *self._production_faults()]
        if faults:
            raise ValueError("\n".join(faults))
        return self

    def _secret_faults(self) -> list[str]:
        if self.SECRET_KEY is None:
            return []
        key = self.SECRET_KEY.get_secret_value()
        fault = length_fault(key) or (weakness(key) if self.is_production else None)
        return [f"SECRET_KEY {fault}"] if fault else []

    def _production_faults(self) -> list[str]:
        if not self.is_production:
            return []
        missing = {
            "SECRET_KEY": f"a random string of at least {MINIMUM_SECRET_BYTES} bytes",
            "DATABASE_URL": "the embedded server is for development",
            "REDIS_URL": "the embedded server is for development",
        }
        costs = {"PASSWORD_HASH_TIME_COST": ARGON2_TIME_COST, "PASSWORD_HASH_MEMORY_KIB": ARGON2_MEMORY_KIB}
        return [
            *self.mail_faults(),
            *(
                f"{name} must be set in production: {why}"
                for name, why in missing.items()
                if getattr(self, name) is None
            ),
            *(
                f"{name} must be at least {low} in production"
                for name, low in costs.items()
                if getattr(self, name) < low
            ),
        ]

    @property
    def is_production(self) -> bool:
        """Whether this is a production gateway: nothing embedded, generated or for show."""
        return self.ENVIRONMENT == "production"

    @property
    def has_budgets(self) -> bool:
        """Whether anybody has a budget of points."""
        return bool(self.BUDGET_PER_MINUTE or self.BUDGET_ANONYMOUS_PER_MINUTE)

    @property
    def lets_local_pages_call(self) -> bool:
        """Whether pages that this machine serves (http://localhost:3000) may call, beside BACKEND_CORS_ORIGINS."""
        return self.ENVIRONMENT == "development"

    @property
    def runs_jobs(self) -> bool:
        """Whether a process that serves runs jobs, too: as set, else in development alone."""
        return self.ENVIRONMENT == "development" if self.JOBS_IN_PROCESS is None else self.JOBS_IN_PROCESS

    @property
    def log_format(self) -> Literal["console", "json"]:
        """The form of the log: as set, else JSON in production and readable lines elsewhere."""
        return self.LOG_FORMAT or ("json" if self.is_production else "console")

    @property
    def database_url(self) -> str:
        """DATABASE_URL as text; holds the password."""
        return _needed(self.DATABASE_URL, "DATABASE_URL").get_secret_value()

    @property
    def database(self) -> Address:
        """Where DATABASE_URL leads, behind DATABASE_POOLER."""
        return parse_address(self.database_url).behind(self.DATABASE_POOLER)

    @property
    def database_for_reading(self) -> Address:
        """Where DATABASE_READ_URL leads, behind DATABASE_READ_POOLER; if it is not set, the same as `database`."""
        if self.DATABASE_READ_URL is None:
            return self.database
        return parse_address(self.DATABASE_READ_URL.get_secret_value(), prefers="any").behind(self.DATABASE_READ_POOLER)

    @property
    def redis_url(self) -> str:
        """REDIS_URL as text; holds the password."""
        return _needed(self.REDIS_URL, "REDIS_URL").get_secret_value()

    @property
    def files_url(self) -> str:
        """FILES_URL as text; a folder in DATA_DIR if it is not set."""
        if self.FILES_URL is not None:
            return self.FILES_URL.get_secret_value()
        return (self.DATA_DIR.resolve() / "files").as_uri()

    @property
    def secret_key(self) -> str:
        """The key that signs tokens; outside production made on first use and kept in DATA_DIR."""
        if self.SECRET_KEY is not None:
            return self.SECRET_KEY.get_secret_value()
        try:
            return development_secret(self.DATA_DIR)
        except OSError as error:
            raise SettingsError(f"DATA_DIR cannot be used: {error.strerror}.") from None


def _is_origin(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and text == f"{parts.scheme}://{parts.netloc}"


def _needed(value: SecretStr | None, name: str) -> SecretStr:
    if value is None:
        raise SettingsError(f"{name} is not set, and no embedded server has been started.")
    return value


def _sentences(error: ValidationError) -> list[str]:
    """One sentence per fault: the setting's name and what is wrong with it, never its value."""
    sentences = []
    for fault in error.errors(include_input=False, include_url=False, include_context=False):
        name = str(fault["loc"][0]) if fault["loc"] else ""
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] != "value_error":
            message = f"is not valid: {message[:1].lower()}{message[1:]}"
        sentences += [f"{name} {line}".strip() + "." for line in message.splitlines()]
    return sentences


def load_settings(**overrides: Any) -> Settings:
    """Read the environment and `.env`.

    Args:
        overrides: settings by name that win over the environment.

    Returns:
        Settings that passed every check.

    Raises:
        SettingsError: one sentence per faulty setting, naming it without showing its value.
    """
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        # `from None`: the cause's traceback would be printed with the values it was given.
        raise SettingsError("\n".join(_sentences(error))) from None
    return settings
