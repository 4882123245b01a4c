"""All settings: environment variables with types, defaults and descriptions."""

import json
import os
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, cast

from platformdirs import user_data_path
from pydantic import AliasChoices, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticUseDefault
from pydantic_settings import BaseSettings, DotEnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from todo.setting_errors import PREFIX, SettingsError, sentence, without_passwords
from todo.setting_files import Logo, SecretFiles, StyleSheet
from todo.setting_types import (
    CONSOLE,
    KEY,
    SHORTEST_KEY,
    BackupPlace,
    Color,
    DatabaseUrl,
    Email,
    Folder,
    Host,
    Issuer,
    Issuers,
    Key,
    Keys,
    MailUrl,
    Networks,
    Origins,
    PublicUrl,
    QueueUrl,
    Rate,
    Recipients,
    Sender,
    SentryDsn,
    is_safe,
)

SUPERVISED = "TODO_SUPERVISED"  # not a setting: marks the children of `todo up`


@dataclass(frozen=True)
class SecretKey:
    """The key that encrypts secrets in the database, and former keys, which still decrypt and verify."""

    current: str
    former: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return self.current, *self.former


NO_KEY = SecretKey("")  # for services that neither encrypt nor issue anything


def default_data_dir() -> Path:
    """Return the default data folder: `/var/lib/todo` for root, else the platform's folder for user data."""
    return (
        Path("/var/lib/todo") if os.name == "posix" and os.geteuid() == 0 else user_data_path("todo", appauthor=False)
    )


class Settings(BaseSettings):
    """Settings loaded at startup from `TODO_*` variables, `.env` in the current folder, and `TODO_*_FILE` secrets."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True, allow_inf_nan=False, validate_default=False
    )

    env: Literal["development", "production", "test"] = Field(
        "development", description="Environment of this instance."
    )
    host: Host = Field("127.0.0.1", description="Address the API listens on.")
    port: int = Field(
        8000,
        ge=1,
        le=65535,
        validation_alias=AliasChoices("TODO_PORT", "PORT"),
        description="Port the API listens on; the platform's PORT is used if set.",
    )
    admin_name: str = Field("todo", min_length=1, max_length=40, description="Name of the admin on its pages.")
    admin_color: Color = Field("", description="Accent color of the admin, such as #3b82f6; empty means its own.")
    admin_logo: Logo = Field(
        "", description="SVG or PNG file with the logo of the admin, also its icon; empty means its own."
    )
    admin_css: StyleSheet = Field(
        "", description="CSS file that the pages of the admin load last, over their own styles; empty means none."
    )
    public_url: PublicUrl = Field("", description="Public URL of the service, for links and token issuers.")
    data_dir: Folder = Field(
        default_factory=default_data_dir, description="Folder where `todo up` keeps data and secrets."
    )

    database_url: DatabaseUrl = Field(
        "", description="URL of PostgreSQL (>= 15); empty means the embedded server of `todo up`."
    )
    database_direct_url: DatabaseUrl = Field(
        "",
        description="Database URL without the pooler, for LISTEN, the queue and migrations; empty means detected.",
    )
    database_read_url: DatabaseUrl = Field(
        "", description="URL of a replica for reads, which still show every acknowledged change; empty means none."
    )
    database_pool: int = Field(
        10, ge=3, le=1000, description="Connections a process keeps open, reads and writes together."
    )
    database_overflow: int = Field(
        20, ge=0, le=1000, description="Additional connections a process may open under load."
    )
    database_statement_timeout: float = Field(15, gt=0, description="Seconds after which a statement is cancelled.")
    slow_statement_seconds: float = Field(
        1, ge=0, description="Seconds after which a statement is logged as slow; 0 for never."
    )
    database_wait: float = Field(
        5,
        gt=0,
        description="Seconds a request waits for a connection, a lock or the database before it gets a 503.",
    )
    queue_url: QueueUrl = Field(
        "", description="Queue of SAQ: redis://..., or a direct PostgreSQL URL; empty means the database."
    )

    secret_key: Key = Field(
        SecretStr(""), description="At least 32 characters; encrypts private keys. `todo up` generates its own."
    )
    secret_key_fallbacks: Keys = Field(
        (), description="Former secret keys, separated by commas: they decrypt until `todo keys rewrap` has run."
    )
    access_token_seconds: int = Field(600, ge=60, le=86400, description="Seconds until an access token expires.")
    actor_cache_seconds: float = Field(3, ge=0, le=5, description="Maximum seconds a user's permissions are cached.")
    admin_email: Email = Field("", description="E-mail address of the first administrator, for unattended starts.")
    admin_password: SecretStr = Field(
        SecretStr(""), description="Password of the first administrator, for unattended starts."
    )
    issuers: Issuers = Field(
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
    backup_dir: BackupPlace | None = Field(
        None,
        description="Folder, or s3://bucket/prefix, where workers store a backup every night; empty means no backups.",
    )
    backup_days: int = Field(14, ge=1, le=3650, description="Days backups are kept in TODO_BACKUP_DIR.")
    backup_recipients: Recipients = Field(
        (), description="Public keys of age (age1...) whose owners can read the backups; empty means not encrypted."
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
        500,
        ge=0,
        le=1_000_000,
        description="Maximum MB of a user's titles, notes, templates, comments; 0 for no limit.",
    )
    mail_url: MailUrl = Field(
        SecretStr(CONSOLE),
        description="Mail server: smtp://user:password@host:port or smtps://...; console:// logs (in development).",
    )
    mail_from: Sender = Field("Todo <todo@localhost>", description="Sender of all e-mails.")

    rate_limit: Rate = Field(
        "100/minute",
        description="Rate limit per user, or per address when anonymous; `off` disables all limits, even for sign-in.",
    )
    cors_origins: Origins = Field(
        (), description="Web origins whose pages may call the API, such as https://app.example.com."
    )
    trusted_proxies: Networks = Field(
        (), description="IP addresses or networks of proxies whose X-Forwarded-For and -Proto are trusted."
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
    keep_alive: int = Field(
        75, ge=1, description="Seconds a connection is kept without a request; more than a proxy in front keeps it."
    )
    drain_seconds: float = Field(
        5, ge=0, le=300, description="Seconds a server still serves after SIGTERM, while /health/ready answers 503."
    )
    sentry_dsn: SentryDsn = Field(
        SecretStr(""), description="Where unexpected errors are reported: the DSN of Sentry; empty means nowhere."
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

    @field_validator("*", mode="before")
    @classmethod
    def _use_default(cls, value: Any) -> Any:
        """An empty variable is one that is not set, as Compose writes `${TODO_X:-}`."""
        if value == "":
            raise PydanticUseDefault
        return value

    @field_validator("database_direct_url")
    @classmethod
    def _check_direct_url(cls, value: str, info: ValidationInfo) -> str:
        if value and not info.data.get("database_url"):
            raise ValueError("needs TODO_DATABASE_URL, whose pooler it bypasses")
        return value

    @field_validator("issuers")
    @classmethod
    def _check_issuers(cls, value: tuple[Issuer, ...], info: ValidationInfo) -> tuple[Issuer, ...]:
        if len({entry.issuer for entry in value}) < len(value):
            raise ValueError("must not list an issuer twice")
        for url in (entry.jwks_url or entry.issuer for entry in value):
            if not is_safe(url, info.data.get("env") != "production"):
                raise ValueError(f"must have https:// URLs (http:// only for localhost, in development), not {url}")
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
    """Return a value as it is written in an environment file, with passwords hidden, including those in URLs."""
    match value:
        case None:
            return ""
        case SecretStr():
            secret = value.get_secret_value()
            return secret if secret in {"", CONSOLE} else "********"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case (Issuer(), *_):
            return json.dumps([entry.model_dump(exclude_defaults=True) for entry in cast("tuple[Issuer, ...]", value)])
        case tuple():
            return ",".join(map(masked, value))
    return without_passwords(str(value))


def load_settings(**values: Any) -> Settings:
    """Load the settings. Raise SettingsError with a sentence for each variable that is wrong."""
    try:
        return Settings(**values)
    except ValidationError as error:
        schema = Settings.model_json_schema(by_alias=False)
        raise SettingsError(" ".join(dict.fromkeys(sentence(item, schema) for item in error.errors()))) from error
    except UnicodeDecodeError as error:
        raise SettingsError(".env: must be text in UTF-8.") from error


def unknown_variables() -> list[str]:
    """Return a sentence for each `TODO_*` variable that is no setting, in the environment or `.env`."""
    names = {PREFIX + name.upper() for name in Settings.model_fields}
    known = names | {f"{name}_FILE" for name in names} | {SUPERVISED}
    given = {name.upper() for name in (*os.environ, *DotEnvSettingsSource(Settings).env_vars)}
    return [
        f"{name} is not a setting. {_advice(name, names)}" for name in sorted(given - known) if name.startswith(PREFIX)
    ]


def _advice(name: str, names: set[str]) -> str:
    near = get_close_matches(name, names, 1, cutoff=0.8)
    return f"Did you mean {near[0]}?" if near else "`todo settings` lists all of them."


def secret_key(settings: Settings) -> SecretKey:
    """Return the secret key from the settings or `todo up`, with the former ones. Raise SettingsError."""
    kept = settings.data_dir / "secret_key"
    secret = settings.secret_key.get_secret_value()
    if not secret and kept.is_file():
        secret = kept.read_text().strip()
    if len(secret) < SHORTEST_KEY:
        raise SettingsError(f"TODO_SECRET_KEY: {KEY}.")
    return SecretKey(secret, tuple(key.get_secret_value() for key in settings.secret_key_fallbacks))


def write_secret_key(settings: Settings, key: str) -> Path:
    """Store a secret key in the data folder and return its file. Raise OSError."""
    path = settings.data_dir / "secret_key"
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name("secret_key.part")  # renamed when complete: a kill leaves no half key
    part.touch(mode=0o600)
    part.write_text(key)
    return part.rename(path)
