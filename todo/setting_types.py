"""Types of settings that are more than a number or a word. A ValueError says what is allowed, after the variable."""

import json
import re
from email.utils import parseaddr
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_settings import NoDecode

from todo.email_address import parse_email
from todo.setting_errors import shown

POSTGRES = r"postgres(ql)?(\+\w+)?"
DATABASE = (
    "the URL of a PostgreSQL database, postgresql://user:password@host:5432/database, with special characters"
    " of the password percent-encoded"
)
MAIL = (
    "must be console://, smtp://user:password@host:port or smtps://user:password@host:port, with special characters"
    " of the password percent-encoded"
)
ISSUERS = (
    'must be a JSON list such as [{"issuer": "https://id.example.com", "audience": "todo", "profile": "oidc"}],'
    ' where the profile is "better-auth", "rfc9068" or "oidc"'
)
CONSOLE = "console://"
SHORTEST_KEY = 32
KEY = f"must be at least {SHORTEST_KEY} random characters (`todo up` generates its own)"
KEYS = f"must be keys of at least {SHORTEST_KEY} characters, separated by commas"
DEFAULT_PORTS = {"http": "80", "https": "443"}
LOOPBACK = ("localhost", "127.0.0.1", "::1")
REDIS = ("redis", "rediss", "unix", "valkey", "valkeys")


def entries(value: Any) -> Any:
    """Split a list: JSON, or separated by commas. What is neither becomes one entry, for its type to refuse."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            return [value]
    return [entry.strip() for entry in value.split(",") if entry.strip()]


def _parts(url: str) -> SplitResult:
    """Return the parts of a URL. Raise ValueError when its host or port is not valid."""
    parts = urlsplit(url)
    if "," not in parts.netloc and parts.port == 0:  # a database may have several hosts, which are tried in turn
        raise ValueError("port 0")
    return parts


def _is_url(url: str, schemes: str) -> bool:
    try:
        return re.fullmatch(schemes, _parts(url).scheme) is not None
    except ValueError:
        return False


def is_safe(url: str, loopback: bool) -> bool:
    """Return whether keys can be fetched from a URL: https, or http from this machine if `loopback` is allowed."""
    if not _is_url(url, "https?"):
        return False
    parts = _parts(url)
    return parts.hostname in LOOPBACK and loopback if parts.scheme == "http" else bool(parts.hostname)


def _origin(value: Any) -> str:
    """Return an origin as browsers send it: lower case, without the default port and a slash at the end."""
    found = re.fullmatch(r"(https?)://([a-z0-9.-]+|\[[0-9a-f:.]+])(?::(\d{1,5}))?/?", str(value).strip().lower())
    if found is None:
        raise ValueError(
            f"must be web origins such as https://app.example.com, separated by commas, not {shown(value)}"
        )
    scheme, host, port = found.groups()
    return f"{scheme}://{host}" + (f":{port}" if port and port != DEFAULT_PORTS[scheme] else "")


def _network(value: Any) -> str:
    try:
        return str(ip_network(str(value)))
    except ValueError:
        raise ValueError(
            f"must be IP addresses or networks such as 10.0.0.0/8, separated by commas, not {shown(value)}"
        ) from None


def _host(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._:%-]+", value):
        raise ValueError(f"must be an IP address or a host name such as 127.0.0.1, not {shown(value)}")
    return value


def _folder(value: Path) -> Path:
    try:
        return value.expanduser()  # only a shell does so; a file of settings keeps the ~
    except RuntimeError:
        raise ValueError(f"must be a folder such as /var/lib/todo, not {shown(value)}") from None


def _backup_place(value: str) -> str:
    if re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]+[a-z0-9](/[^\s?#]*)?", value):
        return value
    if "://" in value:
        raise ValueError(f"must be a folder, or a bucket such as s3://bucket/prefix, not {shown(value)}")
    return str(_folder(Path(value)))


def _public_url(value: str) -> str:
    if not _is_url(value, "https?") or not re.fullmatch(r"[A-Za-z]+://[^\s/?#@]+(/[^\s?#]*)?", value):
        raise ValueError(f"must begin with https:// or http://, such as https://todo.example.com, not {shown(value)}")
    return value


def _database_url(value: str) -> str:
    if not _is_url(value, POSTGRES):
        raise ValueError(f"must be {DATABASE}")
    return value


def _queue_url(value: str) -> str:
    if not _is_url(value, f"{POSTGRES}|{'|'.join(REDIS)}"):
        raise ValueError(f"must be redis://host:6379 or {DATABASE}")
    return value


def _mail_url(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    if not _is_url(url, "console|smtps?") or (not url.startswith("console:") and not _parts(url).hostname):
        raise ValueError(MAIL)
    return value


def _sentry_dsn(value: SecretStr) -> SecretStr:
    dsn = value.get_secret_value()
    if not _is_url(dsn, "https?") or not re.fullmatch(r"[A-Za-z]+://[^\s/@]+@[^\s/?#@]+(/[^\s?#]*)?/\d+", dsn):
        raise ValueError("must be a DSN of Sentry such as https://key@sentry.example.com/1")
    return value


def _sender(value: str) -> str:
    if parse_email(parseaddr(value)[1], internal=True) is None:
        raise ValueError(f"must be an e-mail address such as Todo <todo@example.com>, not {shown(value)}")
    return value


def _email(value: str) -> str:
    if parse_email(value) is None:
        raise ValueError(f"must be an e-mail address such as ada@example.com, not {shown(value)}")
    return value


def _rate(value: str) -> str:
    if not re.fullmatch("off|[1-9][0-9]{0,6}/(second|minute|hour|day)", value):
        raise ValueError(
            f"must be off, or requests per second, minute, hour or day such as 100/minute, not {shown(value)}"
        )
    return value


def _recipient(value: Any) -> str:
    if not re.fullmatch("age1[02-9ac-hj-np-z]{58}", str(value)):
        raise ValueError(
            f"must be public keys of age such as age1..., separated by commas (`todo backup-key` makes one),"
            f" not {shown(value)}"
        )
    return str(value)


def _key(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < SHORTEST_KEY:
        raise ValueError(KEY)
    return value


def _keys(value: Any) -> Any:
    found = entries(value)
    if any(isinstance(key, str) and len(key) < SHORTEST_KEY for key in found):
        raise ValueError(KEYS)
    return found


def _issuers(value: Any) -> Any:
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        found = None
    if not isinstance(found, list | tuple):
        raise ValueError(ISSUERS)
    return found


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


def _color(value: str) -> str:
    if value and not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        raise ValueError(f"must be red, green and blue, such as #3b82f6, not {shown(value)}")
    return value.lower()


Host = Annotated[str, AfterValidator(_host)]
Color = Annotated[str, AfterValidator(_color)]
Folder = Annotated[Path, AfterValidator(_folder)]
BackupPlace = Annotated[str, AfterValidator(_backup_place)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
QueueUrl = Annotated[str, AfterValidator(_queue_url)]
MailUrl = Annotated[SecretStr, AfterValidator(_mail_url)]
SentryDsn = Annotated[SecretStr, AfterValidator(_sentry_dsn)]
Sender = Annotated[str, AfterValidator(_sender)]
Email = Annotated[str, AfterValidator(_email)]
Rate = Annotated[str, AfterValidator(_rate)]
Key = Annotated[SecretStr, AfterValidator(_key)]
Keys = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_keys)]
Origins = Annotated[tuple[Annotated[str, BeforeValidator(_origin)], ...], NoDecode, BeforeValidator(entries)]
Networks = Annotated[tuple[Annotated[str, BeforeValidator(_network)], ...], NoDecode, BeforeValidator(entries)]
Recipients = Annotated[tuple[Annotated[str, BeforeValidator(_recipient)], ...], NoDecode, BeforeValidator(entries)]
Issuers = Annotated[tuple[Issuer, ...], NoDecode, BeforeValidator(_issuers)]
