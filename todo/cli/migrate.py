"""`todo migrate`."""

import asyncio

import rich_click as click

from todo.cli.installation import database_url, is_current, opened, require_sessions
from todo.cli.lazy import CommandError
from todo.cli.operator import cli_origin
from todo.cli.progress import working
from todo.connection import direct_url
from todo.domain.accounts.services.keys import TokenKeys
from todo.domain.accounts.services.users import AccountService
from todo.migrate import current, downgrade, run, upgrade
from todo.migration_plan import Step, compatible_with, steps
from todo.revisions import head
from todo.saq_queue import connected, open_queue
from todo.settings import Settings, load_settings, secret_key

KEEP = "-- The installed version works with the new schema: replace its processes afterwards, one by one."
STOP = "-- The installed version does not work with the new schema: stop its processes first."
LOSS = "Undo {names}? Their tables and columns are dropped, with what they hold."


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit code 1 if migrations are pending.")
@click.option("--plan", is_flag=True, help="Change nothing; list the migrations that would run.")
@click.option("--sql", is_flag=True, help="Change nothing; list them with their SQL.")
@click.option("--to", metavar="REVISION", help="Migrate up to this revision.")
@click.option("--down", metavar="REVISION", help="Undo the migrations after this revision.")
@click.option("--yes", is_flag=True, help="With --down: do not ask.")
def migrate(check: bool, plan: bool, sql: bool, to: str | None, down: str | None, yes: bool) -> None:
    """Bring the database to the schema of this version.

    Safe to run from several instances at once. All migrations run in one transaction.

    Example:

        todo migrate --plan
    """
    if check + (plan or sql) > 1 or bool(to) + bool(down) + check > 1:
        raise click.UsageError("Use one of --check, --plan and --sql, and one of --to and --down.")
    settings = load_settings()
    with database_url(settings) as url:
        if check:
            _check(settings, url)
        elif plan or sql:
            _show(_steps(settings, url, to, down), sql)
        elif down:
            _go_down(settings, url, down, yes)
        else:
            _go_up(settings, url, to)


def _check(settings: Settings, url: str) -> None:
    if not asyncio.run(_is_current(settings, url)):
        raise CommandError("Migrations are pending: run `todo migrate`.")
    click.echo(f"Nothing to do: the schema is at {head()}.")


async def _is_current(settings: Settings, url: str) -> bool:
    async with opened(settings, url) as database:
        return await is_current(database)


def _go_up(settings: Settings, url: str, to: str | None) -> None:
    if to:
        _steps(settings, url, to, None)
    with working("Migrating"):
        changed = asyncio.run(upgrade(settings, url, to) if to and to != head() else install(settings, url))
    at = to or head()
    click.echo(f"Upgraded to {at}." if changed else f"Nothing to do: the schema is at {at}.")


def _go_down(settings: Settings, url: str, down: str, yes: bool) -> None:
    found = _steps(settings, url, None, down)
    if not found:
        click.echo(f"Nothing to do: the schema is at {down}.")
        return
    if not yes:
        click.confirm(LOSS.format(names=", ".join(step.revision for step in found)), abort=True)
    asyncio.run(downgrade(settings, url, down))
    click.echo(f"Downgraded to {down}.")


def _steps(settings: Settings, url: str, to: str | None, down: str | None) -> list[Step]:
    """The migrations that would run. Raises CommandError when they would go in the other direction."""
    now = asyncio.run(run(settings, current, direct_url(settings, url)))
    found = steps(now, down or to or head())
    if found and found[0].is_down != bool(down):
        raise CommandError(f"The schema is at {now}: use `todo migrate {'--to' if down else '--down'} {down or to}`.")
    return found


def _show(found: list[Step], sql: bool) -> None:
    for step in found:
        click.echo(f"-- {'undo ' if step.is_down else ''}{step.revision} {step.title}")
        if sql:
            click.echo(f"{step.sql()}\n")
    if not found:
        click.echo("Nothing to do.")
    elif not found[0].is_down and found[0].before:
        click.echo(KEEP if compatible_with(found[-1].revision) <= found[0].before else STOP)


async def install(settings: Settings, url: str) -> bool:
    """Migrate our tables and SAQ's, and bring in the first roles and a signing key; True when the schema changed."""
    secret = secret_key(settings)
    await require_sessions(settings, url)
    changed = await upgrade(settings, url)
    async with connected(open_queue(settings, url)):
        pass  # SAQ migrates its tables when it connects
    async with opened(settings, url) as database:
        origin = cli_origin()
        async with database.session(origin) as session:
            await AccountService(session, origin.actor).prepare(secret)
        await TokenKeys(database, settings, secret).load()
    return changed
