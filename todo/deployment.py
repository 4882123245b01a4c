"""What may do for trying out, but not where strangers can reach it."""

from dataclasses import dataclass
from typing import Literal

from todo.settings import Settings


@dataclass(frozen=True)
class Finding:
    """Something that keeps an installation from working (error), or should be known (warning)."""

    id: str
    level: Literal["error", "warning"]
    message: str


def unfit_for_production(settings: Settings) -> list[Finding]:
    """What is to be set before strangers come: `todo check --deploy`."""
    weak = settings.password_min_length < 15 and settings.second_factor_for != "all"
    cheap = settings.argon2_memory_kib * settings.argon2_iterations < 19456 * 2
    doubts: list[tuple[bool, str, Literal["error", "warning"], str]] = [
        (settings.env != "production", "deploy.env", "error", "TODO_ENV is not production."),
        (not settings.public_url.startswith("https://"), "deploy.public_url", "error",
         "TODO_PUBLIC_URL is not an https:// address: tokens and mailed links need one."),
        (not settings.secret_key.get_secret_value(), "deploy.secret_key", "warning",
         "TODO_SECRET_KEY is not set: the key lies beside the data it protects."),
        (not settings.database_url, "deploy.database", "warning",
         "TODO_DATABASE_URL is not set: the embedded server is for one machine, and has no backups of its own."),
        (settings.rate_limit == "off", "deploy.rate_limit", "error", "TODO_RATE_LIMIT is off."),
        (settings.second_factor_for == "none", "deploy.second_factor", "warning",
         "TODO_REQUIRE_MFA is none: a stolen password is enough, for administrators too."),
        (weak, "deploy.password_length", "warning",
         "TODO_PASSWORD_MIN_LENGTH is below 15, which needs a second factor for all (TODO_REQUIRE_MFA=all)."),
        (cheap, "deploy.password_cost", "error", "TODO_ARGON2_*: below 19 MiB and 2 passes (`todo hash-benchmark`)."),
        (settings.mail_url.get_secret_value().startswith("console"), "deploy.mail", "warning",
         "TODO_MAIL_URL is console://: mailed links go to the log instead of to people."),
        ("*" in settings.cors_origins, "deploy.cors", "error", "TODO_CORS_ORIGINS must name exact origins."),
    ]  # fmt: skip
    return [Finding(id, level, message) for doubtful, id, level, message in doubts if doubtful]
