"""All settings: environment variables with types, defaults and descriptions."""

import json
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from platformdirs import user_data_path
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "TODO_"
Origin = Annotated[str, StringConstraints(pattern=r"^https?://[a-z0-9.:\[\]-]+$")]
Network = Annotated[str, AfterValidator(lambda text: str(ip_network(text)))]


class SettingsError(Exception):
    """A setting is invalid. The message names the variable and the reason."""


@dataclass(frozen=True)
class SecretKey:
    """The key that encrypts secrets in the database, and former keys, which still decrypt and verify."""

    current: str
    former: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return self.current, *self.former


NO_KEY = SecretKey("")  # for services that neither encrypt nor issue anything


class SecretFiles(PydanticBaseSettingsSource):
    """Read `TODO_X` from the file in `TODO_X_FILE`, the convention for container secrets."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        path = os.environ.get(f"{PREFIX}{field_name.upper()}_FILE")
        return (_read(field_name, path) if path else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in values.items() if value is not None}


def _read(field_name: str, path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{PREFIX}{field_name.upper()}_FILE: cannot read {path}: {error}.") from error


def default_data_dir() -> Path:
    """Return the default data folder: `/var/lib/todo` for root, else the platform's folder for user data."""
    return (
        Path("/var/lib/todo") if os.name == "posix" and os.geteuid() == 0 else user_data_path("todo", appauthor=False)
    )


Algorithm = Literal["EdDSA", "Ed25519", "ES256", "ES512", "RS256", "PS256"]


class Issuer(BaseModel):
    """An identity provider whose access tokens are accepted: one entry of `TODO_ISSUERS`.

    `issuer` is compared with `iss` exactly. Without `jwks_url` the keys are found through the provider's
    `/.well-known/openid-configuration`. `link_by_verified_email` trusts the provider's verified addresses: a token with
    one signs in to the account with the same verified address, so a dishonest provider can take over any account.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field(min_length=1, max_length=255)
    jwks_url: str = ""
    audience: Annotated[
        tuple[Annotated[str, Field(min_length=1)], ...],
        BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
    ] = Field(min_length=1)  # one of these must be in `aud`
    profile: Literal["better-auth", "rfc9068", "oidc"]
    algorithms: tuple[Algorithm, ...] = Field(("EdDSA", "Ed25519", "ES256", "ES512", "RS256", "PS256"), min_length=1)
    auto_provision: bool = True  # whether to create accounts for unknown users
    link_by_verified_email: bool = False
    max_token_lifetime: int = Field(86400, ge=60)  # seconds from `iat` to `exp`
    leeway: int = Field(30, ge=0, le=300)  # allowed clock difference in seconds


class Settings(BaseSettings):
    """Settings loaded at startup from `TODO_*` variables, `.env` in the current folder, and `TODO_*_FILE` secrets."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True)

    env: Literal["development", "production", "test"] = Field(
        "development", description="Environment of this instance."
    )
    host: str = Field("127.0.0.1", description="Address the API listens on.")
    port: int = Field(
        8000,
        ge=1,
        le=65535,
        validation_alias=AliasChoices("TODO_PORT", "PORT"),
        description="Port the API listens on; the platform's PORT is used if set.",
    )
    public_url: str = Field("", description="Public URL of the service, for links and token issuers.")
    data_dir: Path = Field(
        default_factory=default_data_dir, description="Folder where `todo up` keeps data and secrets."
    )

    database_url: str = Field(
        "", description="URL of PostgreSQL (>= 15); empty means the embedded server of `todo up`."
    )
    database_direct_url: str = Field(
        "",
        description="Database URL without the pooler, for LISTEN, the queue and migrations; empty means detected.",
    )
    database_read_url: str = Field("", description="URL of a replica for reads; empty means the same database.")
    database_pool: int = Field(
        10, ge=2, le=1000, description="Connections a process keeps open, reads and writes together."
    )
    database_overflow: int = Field(
        20, ge=0, le=1000, description="Additional connections a process may open under load."
    )
    database_statement_timeout: float = Field(15, gt=0, description="Seconds after which a statement is cancelled.")
    database_wait: float = Field(
        5,
        gt=0,
        description="Seconds a request waits for a connection, a lock or the database before it gets a 503.",
    )
    queue_url: str = Field(
        "", description="Queue of SAQ: redis://..., or a direct PostgreSQL URL; empty means the database."
    )

    secret_key: SecretStr = Field(
        SecretStr(""), description="At least 32 characters; encrypts private keys. `todo up` generates its own."
    )
    secret_key_fallbacks: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="Former secret keys, separated by commas: they decrypt until `todo keys rewrap` has run."
    )
    access_token_seconds: int = Field(600, ge=60, le=86400, description="Seconds until an access token expires.")
    actor_cache_seconds: float = Field(3, ge=0, le=5, description="Maximum seconds a user's permissions are cached.")
    admin_email: str = Field("", description="E-mail address of the first administrator, for unattended starts.")
    admin_password: SecretStr = Field(
        SecretStr(""), description="Password of the first administrator, for unattended starts."
    )
    issuers: Annotated[tuple[Issuer, ...], NoDecode] = Field(
        (),
        description="Accepted identity providers: a JSON list of {issuer, jwks_url, audience, profile}.",
    )
    require_mfa: Literal["none", "staff", "all"] | None = Field(
        None, description="Who must use a second factor; the default is staff in production, else none."
    )
    argon2_memory_kib: int = Field(47104, ge=8, description="Argon2id memory of one password hash, in KiB.")
    argon2_iterations: int = Field(1, ge=1, le=20, description="Argon2id passes of one password hash.")
    password_min_length: int = Field(15, ge=8, le=64, description="Minimum length of passwords, in characters.")
    registration: Literal["open", "invitation", "closed"] = Field("open", description="Who may create an account.")
    verify_email: bool = Field(False, description="Whether an e-mail address must be confirmed before signing in.")
    trash_days: int = Field(30, ge=1, le=3650, description="Days until items in the trash are deleted permanently.")
    audit_retention_months: int = Field(
        0, ge=0, le=1200, description="Full months the audit log is kept besides the current one; 0 for ever."
    )
    hourly_rules: bool = Field(False, description="Whether tasks may recur hourly (FREQ=HOURLY).")
    signing_key_days: int = Field(
        90,
        ge=0,
        le=3650,
        description="Days after which the signing key of access tokens is rotated; 0 for manual rotation only.",
    )
    deletion_days: int = Field(
        30, ge=0, le=365, description="Days until a deleted account is erased; 0 for immediately."
    )
    quota_tasks: int = Field(
        100_000, ge=0, description="Maximum tasks of a user, closed and deleted ones included; 0 for no limit."
    )
    quota_series: int = Field(2_000, ge=0, description="Maximum series of a user that have not ended; 0 for no limit.")
    quota_reminders: int = Field(100_000, ge=0, description="Maximum reminders of a user; 0 for no limit.")
    quota_tokens: int = Field(100, ge=0, description="Maximum personal access tokens of a user; 0 for no limit.")
    quota_storage_mb: int = Field(
        500, ge=0, le=1_000_000, description="Maximum MB of a user's titles, notes and templates; 0 for no limit."
    )
    mail_url: SecretStr = Field(
        SecretStr("console://"),
        description="Mail server: smtp://user:password@host:port or smtps://...; console:// logs (in development).",
    )
    mail_from: str = Field("Todo <todo@localhost>", description="Sender of all e-mails.")

    rate_limit: str = Field(
        "100/minute",
        pattern="^(off|[1-9][0-9]{0,6}/(second|minute|hour|day))$",
        description="Rate limit per user, or per address when anonymous; `off` disables all limits, even for sign-in.",
    )
    cors_origins: list[Origin] = Field(
        [], description="Web origins that may call the API, exactly as browsers send them: a JSON list."
    )
    trusted_proxies: list[Network] = Field(
        [], description="Proxies whose X-Forwarded-For and -Proto are trusted: a JSON list of addresses or networks."
    )
    max_body_bytes: int = Field(1_048_576, ge=1024, description="Maximum size of a request body, in bytes.")
    max_header_bytes: int = Field(
        32768, ge=4096, le=1_048_576, description="Maximum total size of the headers, in bytes."
    )
    max_connections: int = Field(1000, ge=1, description="Maximum connections of a server process; more get a 503.")
    max_connections_per_address: int = Field(
        100, ge=1, description="Maximum connections of a network (IPv6: /64) to a process; trusted proxies are exempt."
    )
    head_timeout: float = Field(10, gt=0, description="Seconds for the headers of a request to arrive.")
    body_timeout: float = Field(
        30, gt=0, description="Seconds for a body to arrive, plus one second for each 4 KiB of it."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Minimum level of log lines.")
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="Format of log lines; auto is json in production, else console."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, SecretFiles(settings_cls), dotenv_settings

    @field_validator("database_direct_url")
    @classmethod
    def _check_direct_url(cls, value: str, info: ValidationInfo) -> str:
        if value and not info.data.get("database_url"):
            raise ValueError("this needs TODO_DATABASE_URL, whose pooler it bypasses")
        return value

    @field_validator("secret_key_fallbacks", mode="before")
    @classmethod
    def _read_fallbacks(cls, value: Any) -> Any:
        return [key.strip() for key in value.split(",") if key.strip()] if isinstance(value, str) else value

    @field_validator("issuers", mode="before")
    @classmethod
    def _read_issuers(cls, value: Any) -> Any:
        return json.loads(value or "[]") if isinstance(value, str) else value

    @field_validator("issuers")
    @classmethod
    def _check_issuers(cls, value: tuple[Issuer, ...], info: ValidationInfo) -> tuple[Issuer, ...]:
        if len({entry.issuer for entry in value}) < len(value):
            raise ValueError("an issuer must not be listed twice")
        for url in (entry.jwks_url or entry.issuer for entry in value):
            if not _is_safe(url, info.data.get("env") != "production"):
                raise ValueError(f"the URL of the keys must be https (http only for loopback, in development): {url}")
        return value

    @property
    def second_factor_for(self) -> Literal["none", "staff", "all"]:
        """Return who must sign in with a second factor: by default staff in production, nobody elsewhere."""
        return self.require_mfa or ("staff" if self.env == "production" else "none")

    @property
    def issuer(self) -> str:
        """Return the `iss` and `aud` of our own tokens."""
        return self.public_url.rstrip("/") or "todo"


def masked(value: object) -> str:
    """Return a value as text, with passwords hidden, including those in URLs."""
    if isinstance(value, SecretStr):
        return "********" if value.get_secret_value() else ""
    if isinstance(value, tuple) and any(isinstance(one, SecretStr) for one in value):
        return ", ".join(map(masked, value))
    text = re.sub(r"(://[^:/@]*:).*@", r"\1********@", str(value))
    return re.sub(r"(password=)[^&]+", r"\1********", text)


def load_settings(**values: Any) -> Settings:
    """Load the settings. Raise SettingsError with the name of the variable."""
    try:
        return Settings(**values)
    except ValidationError as error:
        problems = (f"{_variable(item['loc'])}: {item['msg']} ({_shown(item['input'])})." for item in error.errors())
        raise SettingsError(" ".join(problems)) from error


def _shown(value: object) -> str:
    return f"it is {(masked(value) if isinstance(value, str) else value)!r}"


def _variable(location: tuple[int | str, ...]) -> str:
    """Return the variable, with the position inside a list: `TODO_ISSUERS.0.audience`."""
    name, *inside = map(str, location)
    if name == "TODO_PORT" and name not in os.environ and "PORT" in os.environ:
        name = "PORT"
    return ".".join([name if name.isupper() else PREFIX + name.upper(), *inside])


def _is_safe(url: str, loopback: bool) -> bool:
    parts = urlsplit(url)
    if parts.scheme == "http":
        return loopback and parts.hostname in {"localhost", "127.0.0.1", "::1"}
    return parts.scheme == "https" and bool(parts.hostname)


@lru_cache
def get_settings() -> Settings:
    """Return the settings of this process, loaded once."""
    return load_settings()


def secret_key(settings: Settings) -> SecretKey:
    """Return the secret key from the settings or `todo up`, with the former ones. Raise SettingsError."""
    kept = settings.data_dir / "secret_key"
    secret = settings.secret_key.get_secret_value()
    if not secret and kept.is_file():
        secret = kept.read_text().strip()
    if len(secret) < 32:
        raise SettingsError("TODO_SECRET_KEY: must be at least 32 random characters (`todo up` generates its own).")
    return SecretKey(secret, tuple(key.get_secret_value() for key in settings.secret_key_fallbacks))
