"""All modules together, without what only servers need: jobs, loops and the resources of the administration."""

from uuid import UUID

from todo.access import EVERYTHING, require_known
from todo.admin import runs, views
from todo.admin.registry import Registry
from todo.audit_partitions import maintain_partitions
from todo.backup.scheduled import run_backup
from todo.cleanup import delete_expired
from todo.connection import direct_url
from todo.delivery.engine import EXPIRED, delivery_loop
from todo.delivery.smtp import Smtp
from todo.domain import accounts, notifications, operations, projects, tasks
from todo.domain.accounts.rules import GRANTS
from todo.domain.accounts.services.authentication import actor_of
from todo.domain.notifications.services.shared_mails import is_wanted
from todo.http import health, idempotency, limits
from todo.jobs import JobCatalog
from todo.module import Module, union
from todo.queue import Context, Cron, job_of, job_origin

CHANNELS = [Smtp]


async def delete_old_answers(context: Context) -> None:
    """Delete stored idempotent responses older than a day."""
    await delete_expired(context["database"], idempotency.EXPIRED)


async def delete_old_deliveries(context: Context) -> None:
    """Delete deliveries that ended more than a month ago."""
    await delete_expired(context["database"], EXPIRED)


async def delete_old_runs(context: Context) -> None:
    """Delete background actions of the administration whose last step was three months ago."""
    await delete_expired(context["database"], *runs.EXPIRED)


async def continue_runs(context: Context) -> None:
    """Continue background actions of the administration, and imports at the command line, that were interrupted."""
    await runs.continue_lapsed(context["database"], job_origin(context))


async def maintain_audit_log(context: Context) -> None:
    """Create the coming partitions of the audit log, and drop those older than `TODO_AUDIT_RETENTION_MONTHS`."""
    await maintain_partitions(context["database"])


async def back_up(context: Context) -> None:
    """Store a backup in `TODO_BACKUP_DIR`, if that is set, and delete old ones."""
    settings = context["database"].settings
    if settings.backup_dir:
        await run_backup(direct_url(settings, context["database"].url))


async def run_admin_action(context: Context, *, run_id: str) -> None:
    """Continue an admin action on many rows."""
    await runs.carry_out(REGISTRY, context["database"], actor_of, UUID(run_id), job_origin(context))


CORE = Module(
    jobs=[run_admin_action],
    schedules=[
        Cron(delete_old_answers, "17 * * * *", timeout=600),
        Cron(limits.delete_full, "* * * * *"),
        Cron(delete_old_deliveries, "23 * * * *", timeout=600),
        Cron(delete_old_runs, "47 3 * * *", timeout=600),
        Cron(continue_runs, "* * * * *"),
        Cron(back_up, "7 2 * * *", timeout=6 * 3600),
        Cron(maintain_audit_log, "29 * * * *", timeout=600),
    ],
    loops=[health.HEARTBEAT, delivery_loop(CHANNELS, is_wanted)],
)
MODULES = union([CORE, accounts.MODULE, projects.MODULE, tasks.MODULE, notifications.MODULE])
# SAQ also runs the loops as jobs, except the heartbeat: it shows that the loops of this worker run.
DUE = [Cron(job_of(loop), "* * * * *", timeout=300) for loop in MODULES.loops if loop is not health.HEARTBEAT]
JOBS = JobCatalog([*DUE, *MODULES.schedules], MODULES.jobs)
APPLICATION = union([MODULES, operations.module(JOBS), Module(admins=views.ADMINS)])
LOOPS = APPLICATION.loops
REGISTRY = Registry(APPLICATION.admins, APPLICATION.explainers, APPLICATION.known)
require_known(REGISTRY.permissions)
require_known({name for names in GRANTS.values() for name in names} - {EVERYTHING})
