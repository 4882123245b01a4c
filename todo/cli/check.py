"""`todo check`."""

import asyncio
import json
from dataclasses import asdict

import rich_click as click
from litestar.routes import HTTPRoute

from todo.app import create_app
from todo.audit_partitions import PARTITIONS, missing
from todo.cli.failures import sentence_of
from todo.cli.installation import database_url, is_current, opened
from todo.cli.surroundings import surroundings
from todo.database import now
from todo.deployment import Finding, unfit_for_production
from todo.domain.accounts.services.keys import TokenKeys
from todo.domain.accounts.services.rewrap import Secrets, outdated
from todo.http.document.operations import is_public
from todo.http.health import mixed_queue, schedules_of, state_of
from todo.modules import JOBS
from todo.setting_errors import SettingsError
from todo.settings import Settings, load_settings, secret_key, unknown_variables

# Reviewed: what may be asked without signing in.
PUBLIC = frozenset(
    {
        "forget_password",
        "reset_password",
        "verify_email",
        "confirm_email_change",
        "ask_to_verify_email",
        "register",
        "login",
        "login_second_factor",
        "begin_passkey_login",
        "login_passkey",
        "refresh",
        "get_jwks",
        "get_shared_project",
        "get_shared_calendar",
        "health_live",
        "health_ready",
        "get_start",
        "get_openapi",
        "get_openapi_admin",
        "get_docs",
        "get_docs_file",
        "list_problem_types",
        "get_problem_type",
        "get_account_page",
        "get_account_file",
        "get_unsubscribe_page",
        "unsubscribe_by_link",
        "get_admin_file",
        "get_admin_brand_file",
        "show_admin_login",
        "admin_login",
        "admin_login_code",
        "admin_stop_impersonating",  # impersonators have no permissions of their own meanwhile
        "begin_admin_passkey_login",
        "admin_login_passkey",
        "admin_logout",
        "set_admin_theme",
        "set_admin_language",
        "set_admin_filters",
    }
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--deploy", is_flag=True, help="Also find what is unfit for production.")
def check(as_json: bool, deploy: bool) -> None:
    """Find what would keep this installation from working.

    Exit code 1 if there is an error.

    Example:

        todo check --deploy
    """
    findings = find_all(deploy)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    for finding in () if as_json else findings:
        click.echo(f"{finding.level:7} {finding.id}  {finding.message}")
    if not findings and not as_json:
        click.echo("Everything is in order.")
    if any(finding.level == "error" for finding in findings):
        raise SystemExit(1)


def find_all(deploy: bool) -> list[Finding]:
    """Everything that is wrong, the settings first: with a wrong one nothing else can be checked."""
    findings = [Finding("settings.unknown", "warning", sentence) for sentence in unknown_variables()]
    try:
        settings = load_settings()
    except SettingsError as error:
        return [*findings, Finding("settings.invalid", "error", str(error))]
    return findings + find(settings) + (unfit_for_production(settings) if deploy else [])


def find(settings: Settings) -> list[Finding]:
    """What is wrong with the routes, the secret key and the database."""
    findings = []
    try:
        secret_key(settings)
        app = create_app(settings)
        findings += [
            Finding(
                "routes.unguarded",
                "error",
                f"{handler.operation_id} asks for no permission and is not on the public list.",
            )
            for route in app.routes
            if isinstance(route, HTTPRoute)
            for handler in route.route_handlers
            if handler.operation_id and is_public(handler) and handler.operation_id not in PUBLIC
        ]
        with database_url(settings) as url:
            findings += asyncio.run(check_database(settings, url))
    except Exception as error:
        sentence = sentence_of(error)
        if sentence is None:
            raise
        findings.append(Finding("start", "error", sentence))
    return findings


async def check_database(settings: Settings, url: str) -> list[Finding]:
    """Raises SettingsError when the secret key does not fit."""
    async with opened(settings, url) as database:
        if not await is_current(database):
            return [Finding("database.migrations", "error", "The schema is not this version's: run `todo migrate`.")]
        await TokenKeys(database, settings, secret_key(settings)).load()
        old = await outdated(database, secret_key(settings))
        state = await state_of(database)
        schedules = schedules_of(state, JOBS)
        partitions = await database.primary.all(PARTITIONS)
        mixed = mixed_queue(state, database)
        around = [] if state.read_only else await surroundings(database)
    findings = []
    if old != Secrets():
        findings.append(("secrets.former_key", f"{old} need a former secret key: run `todo keys rewrap`."))
    if state.read_only:
        return [Finding("database.read_only", "error", "The database takes no changes: is it a replica?")]
    if not state.has_worker:
        findings.append(("worker.late", "No worker has been seen for half a minute: is `todo worker` running?"))
    if mixed:
        findings.append(("queue.mixed", mixed))
    if schedules.late:
        findings.append(("schedules.late", f"Not run in time: {', '.join(schedules.late)}. See the worker's log."))
    if schedules.failed:
        findings.append(("schedules.failed", f"Failed: {', '.join(schedules.failed)}. See `todo jobs schedules`."))
    if months := missing(partitions, now().date()):
        names = ", ".join(f"{month:%Y-%m}" for month in months)
        findings.append(("audit.partitions", f"No partition for {names}: run `todo jobs run maintain_audit_log`."))
    return [*around, *(Finding(id, "warning", message) for id, message in findings)]
