"""The settings of the gateway, read from the environment and validated once at start-up.

`load_settings` returns complete settings, or raises SettingsError with one sentence per invalid setting.
"""

import json
from collections.abc import Iterator
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.utils import parseaddr
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from limits import parse_many
from pydantic import (
    AfterValidator,
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

from gateway.errors import SettingsError
from gateway.secret import MINIMUM_SECRET_BYTES, development_secret, secret_fault
from gateway.store_settings import StoreSettings
from services.documents.config import AcceptedDocuments
from services.identity.mail.config import Verification
from services.queries.limits import Limits

DEFAULT_SENDER = "Hybrid Gateway <gateway@localhost>"
URL = r"^(https?://[A-Za-z0-9.:\[\]_-]+(/[A-Za-z0-9._~-]+)*)?$"

# OWASP's and libpass's current argon2id costs: production may only raise them.
ARGON2_TIME_COST = 3
ARGON2_MEMORY_KIB = 65536

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
    """Turn the string `a, b` or `["a", "b"]` into a list; return anything else unchanged."""
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith("["):
        return [part.strip() for part in value.split(",") if part.strip()]
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise ValueError("is neither a comma separated list nor a JSON array") from error


def _known_rate(value: str) -> str:
    try:
        parse_many(value)
    except ValueError as error:
        raise ValueError("is not a rate such as '5/hour'") from error
    return value


TextList = Annotated[list[str], NoDecode, BeforeValidator(_split_list)]
Rate = Annotated[str, AfterValidator(_known_rate)]
"""How often something may be done, as the library `limits` reads it."""


class Settings(Limits, StoreSettings):
    """Every setting of the gateway. Nothing else reads the environment or `.env`."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True, validate_default=True
    )

    PROJECT_NAME: str = "Hybrid Gateway"
    VERSION: str = Field(default_factory=_distribution_version)
    ENVIRONMENT: Literal["development", "test", "production"] = "development"
    PUBLIC_URL: str = Field(default="", pattern=URL)
    API_V1_STR: str = Field(default="/api/v1", pattern=r"^(/[A-Za-z0-9._~-]+)+$")
    MODULES: TextList = list(DEFAULT_MODULES)

    MAX_BODY_BYTES: PositiveInt = 1_048_576
    MAX_HEADER_BYTES: PositiveInt = 65_536
    REQUEST_TIMEOUT_SECONDS: PositiveFloat = 25
    MAX_CONCURRENT_REQUESTS: PositiveInt = 100

    COMPILED_READS: bool = True
    PLAN_CACHE_SIZE: PositiveInt = 500
    PLAN_ON_SIGHT: PositiveInt = 2
    GRAPHQL_DOCUMENTS: AcceptedDocuments = AcceptedDocuments.ANY
    PERSISTED_DOCUMENT_BYTES: PositiveInt = 50_000
    PERSISTED_DOCUMENTS: PositiveInt = 10_000
    PERSISTED_BYTES: PositiveInt = 50_000_000
    PERSISTED_HOURS: PositiveInt = 168
    PERSISTED_WRITES: Rate = "60/minute"

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

    SMTP_HOST: str = ""
    SMTP_PORT: int = Field(default=587, ge=1, le=65535)
    SMTP_USERNAME: str = ""
    SMTP_PASSWORD: SecretStr | None = None
    SMTP_SECURITY: Literal["starttls", "tls", "none"] = "starttls"
    SMTP_TIMEOUT_SECONDS: PositiveFloat = 10
    MAIL_FROM: str = DEFAULT_SENDER
    ACCOUNT_URL: str = Field(default="", pattern=URL)
    EMAIL_VERIFICATION: Verification = Verification.OPTIONAL
    MAILS_PER_SENDER: Rate = "20/hour"
    MAILS_PER_ADDRESS: Rate = "5/hour"

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
        for origin in bare:
            parts = urlsplit(origin)
            is_http = parts.scheme in {"http", "https"} and bool(parts.hostname)
            if origin != "*" and not (is_http and origin == f"{parts.scheme}://{parts.netloc}"):
                raise ValueError("must hold origins such as https://app.example.org, without a path")
        return bare

    @field_validator("MAIL_FROM")
    @classmethod
    def _sender(cls, value: str) -> str:
        # Not validate_email, which knows no localhost.
        try:
            address = Address(addr_spec=parseaddr(value)[1])
        except (ValueError, IndexError, HeaderParseError):
            address = Address()
        if not address.username or not address.domain or not value.isprintable():
            raise ValueError("is not an address such as Gateway <gateway@example.org>")
        return value

    @model_validator(mode="after")
    def _fit_for_production(self) -> Self:
        if faults := "\n".join(self._faults()):
            raise ValueError(faults)
        return self

    def _faults(self) -> Iterator[str]:
        if self.SECRET_KEY is not None:
            fault = secret_fault(self.SECRET_KEY.get_secret_value(), is_production=self.is_production)
            if fault:
                yield f"SECRET_KEY {fault}"
        if not self.is_production:
            return
        if self.SMTP_HOST and self.MAIL_FROM == DEFAULT_SENDER:
            yield "MAIL_FROM must be set in production where SMTP_HOST is: it says whom mails are from"
        if self.SMTP_USERNAME and self.SMTP_SECURITY == "none":
            yield "SMTP_SECURITY must not be none in production where SMTP_USERNAME is set"
        embedded = "the embedded server is for development"
        secret = f"a random string of at least {MINIMUM_SECRET_BYTES} bytes"
        for name, why in (("SECRET_KEY", secret), ("DATABASE_URL", embedded), ("REDIS_URL", embedded)):
            if getattr(self, name) is None:
                yield f"{name} must be set in production: {why}"
        costs = {"PASSWORD_HASH_TIME_COST": ARGON2_TIME_COST, "PASSWORD_HASH_MEMORY_KIB": ARGON2_MEMORY_KIB}
        for name, low in costs.items():
            if getattr(self, name) < low:
                yield f"{name} must be at least {low} in production"

    @property
    def limits(self) -> Limits:
        return Limits(**self.model_dump(include=set(Limits.model_fields)))

    @property
    def is_production(self) -> bool:
        """Whether this is production, in which nothing is embedded, generated or a demo."""
        return self.ENVIRONMENT == "production"

    @property
    def has_budgets(self) -> bool:
        return bool(self.BUDGET_PER_MINUTE or self.BUDGET_ANONYMOUS_PER_MINUTE)

    @property
    def lets_local_pages_call(self) -> bool:
        """Whether pages from this machine (such as http://localhost:3000) may call, beside BACKEND_CORS_ORIGINS."""
        return self.ENVIRONMENT == "development"

    @property
    def runs_jobs(self) -> bool:
        """Whether a serving process runs jobs, too: as set, or in development only."""
        return self.ENVIRONMENT == "development" if self.JOBS_IN_PROCESS is None else self.JOBS_IN_PROCESS

    @property
    def log_format(self) -> Literal["console", "json"]:
        """The format of the log: as set, or JSON in production and readable lines elsewhere."""
        return self.LOG_FORMAT or ("json" if self.is_production else "console")

    @property
    def secret_key(self) -> str:
        """The key that signs tokens; outside production it is created at first use and kept in DATA_DIR."""
        if self.SECRET_KEY is not None:
            return self.SECRET_KEY.get_secret_value()
        try:
            return development_secret(self.DATA_DIR)
        except OSError as error:
            raise SettingsError(f"DATA_DIR cannot be used: {error.strerror}.") from None


def _sentences(error: ValidationError) -> list[str]:
    """Return one sentence per fault, with the setting's name and without its value."""
    sentences = []
    for fault in error.errors(include_input=False, include_url=False, include_context=False):
        name = str(fault["loc"][0]) if fault["loc"] else ""
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] != "value_error":
            message = f"is not valid: {message[:1].lower()}{message[1:]}"
        sentences += [f"{name} {line}".strip() + "." for line in message.splitlines()]
    return sentences


def load_settings(**overrides: Any) -> Settings:
    """Read and validate the settings from `overrides`, the environment and `.env`.

    Raises SettingsError, with one sentence per invalid setting that names it without its value.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        # `from None`, since the cause's traceback would show the values.
        raise SettingsError("\n".join(_sentences(error))) from None
