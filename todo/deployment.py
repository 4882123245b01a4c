"""Production checks: settings that are fine for development only."""

from dataclasses import dataclass
from typing import Literal

from todo.settings import Settings


@dataclass(frozen=True)
class Finding:
    """A problem of the installation: an error keeps it from working, a warning should be known."""

    id: str
    level: Literal["error", "warning"]
    message: str


Level = Literal["error", "warning"]
MESSAGES: dict[str, tuple[Level, str]] = {
    "deploy.env": ("error", "TODO_ENV is not production."),
    "deploy.public_url": (
        "error", "TODO_PUBLIC_URL is not an https:// address: tokens and links in e-mails need one.",
    ),
    "deploy.secret_key": (
        "warning", "TODO_SECRET_KEY is not set: the key is stored next to the data it protects.",
    ),
    "deploy.database": ("warning", "TODO_DATABASE_URL is not set: the embedded server is for a single machine."),
    "deploy.backup": (
        "warning", "TODO_BACKUP_DIR is not set: there are no backups, unless the database has its own.",
    ),
    "deploy.backup_key": (
        "warning", "TODO_BACKUP_RECIPIENTS is not set: backups are not encrypted, and lack the secret key.",
    ),
    "deploy.rate_limit": ("error", "TODO_RATE_LIMIT is off."),
    "deploy.second_factor": (
        "warning", "TODO_REQUIRE_MFA is none: a stolen password is enough to sign in, even as an administrator.",
    ),
    "deploy.password_length": (
        "warning",
        "TODO_PASSWORD_MIN_LENGTH is below 15, which requires a second factor for everyone (TODO_REQUIRE_MFA=all).",
    ),
    "deploy.password_cost": ("error", "TODO_ARGON2_*: below 19 MiB and 2 passes (`todo hash-benchmark`)."),
    "deploy.mail": ("error", "TODO_MAIL_URL is console://: no e-mail is sent in production."),
}  # fmt: skip


def unfit_for_production(settings: Settings) -> list[Finding]:
    """Check the settings for production: `todo check --deploy`."""
    cheap = settings.argon2_memory_kib * settings.argon2_iterations < 19456 * 2
    doubts = {
        "deploy.env": settings.env != "production",
        "deploy.public_url": not settings.public_url.startswith("https://"),
        "deploy.secret_key": not settings.secret_key.get_secret_value(),
        "deploy.database": not settings.database_url,
        "deploy.backup": not settings.backup_dir,
        "deploy.backup_key": bool(settings.backup_dir and not settings.backup_recipients),
        "deploy.rate_limit": settings.rate_limit == "off",
        "deploy.second_factor": settings.second_factor_for == "none",
        "deploy.password_length": settings.password_min_length < 15 and settings.second_factor_for != "all",
        "deploy.password_cost": cheap,
        "deploy.mail": settings.mail_url.get_secret_value().startswith("console"),
    }
    return [Finding(id, *MESSAGES[id]) for id, doubtful in doubts.items() if doubtful]
