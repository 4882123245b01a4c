"""The `todo` command: the names, and where each command is. Light imports, so that help is quick."""

import rich_click as click

from todo import __version__
from todo.cli.lazy import LazyCommand, LazyGroup, ShortName

click.rich_click.TEXT_MARKUP = "rich"
click.rich_click.SHOW_ARGUMENTS = True
click.rich_click.TEXT_PARAGRAPH_LINEBREAKS = "\n\n"
click.rich_click.PADDING_HELPTEXT_FIRST_LINE = (0, 0, 1, 0)

ID = "0190f5f0-7c1d-7000-8000-000000000000"
PERSON = "ada@example.com"
ADMIN = "todo.cli.admin:admin"
FAILED = "--filter status=failed"


def group(line: str, example: str, name: str, *commands: click.Command) -> LazyGroup:
    for command in commands:
        if isinstance(command, ShortName):
            command.path = f"{name} {command.name}"
    return LazyGroup(name, f"{line}\n\nExample:\n\n    todo {name} {example}", commands)


admin = LazyGroup(
    "admin",
    """List and change everything that can be administered.

    Rows are named by their id, or by what names them, such as an e-mail address. Without --as, a command acts as the
    operator of this machine, who may do everything; the audit log names the account of the operating system.

    Example:

        todo admin list tasks --filter status=open --sort due_at
    """,
    [
        LazyCommand("describe", "List the resources, or the fields, filters and actions of one.", ADMIN),
        LazyCommand("list", "List rows.", ADMIN),
        LazyCommand("get", "Show one row with all its fields.", ADMIN),
        LazyCommand("history", "List the changes of a row, newest first.", ADMIN),
        LazyCommand("explain", "Explain why a task or a series did or did not come up.", ADMIN),
        LazyCommand("add", "Add a row.", ADMIN),
        LazyCommand("set", "Change fields of a row; an empty value clears a field.", ADMIN),
        LazyCommand("revert", "Undo one change in the history of a row.", ADMIN),
        LazyCommand("delete", "Delete rows, or move them to the trash if there is one.", ADMIN),
        LazyCommand("act", "Run an action on rows, or on the resource.", ADMIN),
        LazyCommand("export", "Write up to 100,000 rows to a file.", ADMIN),
        LazyCommand("import", "Add and change rows from a file: all of them, or none.", ADMIN),
    ],
)
GROUPS = [
    group(
        "Manage users: who may sign in, and with which roles.", f"disable {PERSON}", "users",
        ShortName("list", "List users with their roles.", "users.list", "--filter status=active"),
        ShortName("show", "Show one user.", "users.get", PERSON),
        ShortName("disable", "Block sign-in, and end all sessions and tokens.", "users.disable", PERSON),
        ShortName("enable", "Allow sign-in again.", "users.enable", PERSON),
        ShortName("grant", "Give a user a role.", "users.grant_role", f"{PERSON} support"),
        ShortName("revoke", "Take a role from a user.", "users.take_role", f"{PERSON} support"),
        ShortName("sign-out", "End every session of a user.", "users.sign_out", PERSON),
        LazyCommand(
            "set-password", "Set a new password for a user who lost theirs.", "todo.cli.set_password:command"
        ),
        ShortName(
            "quota", "Limit what a user can store; without --limit, as everybody.", "users.set_quota",
            f"{PERSON} storage --limit 2000",
        ),
        ShortName("vacation", "Create no tasks until a day.", "users.begin_vacation", f"{PERSON} 2027-01-06"),
        ShortName("end-vacation", "Let all series of a user go on.", "users.end_vacation", PERSON),
    ),
    group(
        "Manage accounts for programs.", "add backup-robot --roles member", "service-accounts",
        ShortName(
            "add", "Add an account for a program.", "users.add_service_account", "backup-robot --roles member,support"
        ),
        LazyCommand("token", "Make a token for a service account.", "todo.cli.service_accounts:token"),
    ),
    group(
        "Explain who may do what.", f"why {PERSON} tasks.change", "access",
        LazyCommand("why", "Say whether a user may do something, and why; exit code 1 if not.", "todo.cli.access:why"),
        LazyCommand("scopes", "List the scopes that personal access tokens can have.", "todo.cli.access:scopes"),
        LazyCommand("token", "Say whose personal access token it is, and what it may do.", "todo.cli.access:token"),
    ),
    group(
        "Look at recurrence rules.", 'preview "FREQ=MONTHLY;BYMONTHDAY=31"', "recurrence",
        LazyCommand("preview", "Show the occurrences of a rule; needs no database.", "todo.cli.recurrence:preview"),
    ),
    group(
        "Manage tasks.", f"list --filter owner_id={PERSON} --filter status=open --sort due_at", "tasks",
        ShortName("list", "List tasks, newest first.", "tasks.list", "--filter status=open --sort due_at"),
        ShortName("show", "Show one task.", "tasks.get", ID),
        ShortName("why", "Explain why a task did or did not come up.", "tasks.explain", ID),
        ShortName("add", "Add a task.", "tasks.add", f'title="Water the plants" owner_id={PERSON}'),
        ShortName("set", "Change fields of a task.", "tasks.set", f"{ID} priority=3 deadline="),
        ShortName("complete", "Close tasks as done.", "tasks.complete", ID),
        ShortName("reopen", "Open tasks again.", "tasks.reopen", ID),
        ShortName("skip", "Skip occurrences of series.", "tasks.skip", ID),
        ShortName("cancel", "Close tasks as no longer to be done.", "tasks.cancel", ID),
        ShortName("delete", "Move tasks to the trash.", "tasks.delete", ID),
    ),
    group(
        "Manage projects: whose they are, and whether they are archived.", "archive House", "projects",
        ShortName("list", "List projects, newest first.", "projects.list", f"--filter owner_id={PERSON}"),
        ShortName("show", "Show one project, with its members.", "projects.get", "House"),
        ShortName("add", "Add a project.", "projects.add", f"name=House owner_id={PERSON}"),
        ShortName("set", "Change fields of a project.", "projects.set", 'House color="#3366ff"'),
        ShortName("members", "List the members of projects.", "project_members.list", "--filter project_id=House"),
        ShortName(
            "share", "Make somebody a member of a project.", "project_members.add",
            f"project_id=House user_id={PERSON} role=editor",
        ),
        ShortName("archive", "Leave projects out of lists.", "projects.archive", "House"),
        ShortName("unarchive", "Take projects out of the archive.", "projects.unarchive", "House"),
        ShortName("transfer", "Make a member the owner of a project.", "projects.transfer", "House grace@example.com"),
        ShortName("delete", "Delete projects; their tasks go to the trash of the owner.", "projects.delete", "House"),
    ),
    group(
        "Manage labels: the palettes of people.", f"list --filter user_id={PERSON}", "labels",
        ShortName("list", "List labels, newest first.", "labels.list", f"--filter user_id={PERSON}"),
        ShortName("add", "Add a label.", "labels.add", f"name=garden user_id={PERSON}"),
        ShortName("rename", "Change a label; a new name is also that on tasks.", "labels.set", "garden name=outside"),
        ShortName("delete", "Delete labels; tasks keep the name.", "labels.delete", "garden"),
    ),
    group(
        "Manage views: filters that people keep, or share in a project.", f"list --filter user_id={PERSON}", "views",
        ShortName("list", "List views, newest first.", "views.list", "--filter project_id=House"),
        ShortName("add", "Save a view.", "views.add", f'name=Soon filter="due < today+7d" user_id={PERSON}'),
        ShortName("set", "Change fields of a view.", "views.set", 'Soon filter="due < today+14d"'),
        ShortName("delete", "Delete views; their tasks stay.", "views.delete", "Soon"),
    ),
    group(
        "Manage series: the rules by which tasks recur.", "list --filter status=paused", "series",
        ShortName("list", "List series, newest first.", "series.list", f"--filter owner_id={PERSON}"),
        ShortName("show", "Show one series.", "series.get", ID),
        ShortName("why", "Explain why a series did or did not come up.", "series.explain", ID),
        ShortName("pause", "Create no more tasks until the series is resumed.", "series.pause", ID),
        ShortName("resume", "End a pause.", "series.resume", ID),
        ShortName("end", "Create no more tasks.", "series.end", f"{ID} --open cancel"),
        ShortName("skip-missed", "Skip what is overdue, and open what comes next.", "series.skip_missed", ID),
        ShortName("run", "Let the worker evaluate a series now, also after an error.", "series.run", ID),
    ),
    group(
        "Manage the job queue.", "list --filter status=failed", "jobs",
        ShortName("list", "List the newest jobs; finished ones are kept for a week.", "jobs.list", FAILED),
        ShortName("schedules", "List scheduled jobs with their last run.", "schedules.list"),
        ShortName("show", "Show one job with its error.", "jobs.get", "cron:empty_trash"),
        ShortName("retry", "Run a finished job again.", "jobs.retry", "0d9b4f0e6a7c11f0"),
        ShortName("abort", "Stop a queued or running job.", "jobs.abort", "0d9b4f0e6a7c11f0"),
        LazyCommand("run", "Run a scheduled job now, in addition to its schedule.", "todo.cli.jobs:run"),
    ),
    group(
        "Manage sessions: where users are signed in.", f"list --filter user_id={PERSON}", "sessions",
        ShortName("list", "List sessions, newest first.", "sessions.list", f"--filter user_id={PERSON}"),
        ShortName("show", "Show one session.", "sessions.get", ID),
        ShortName("end", "End sessions; who used them must sign in again.", "sessions.end", ID),
    ),
    group(
        "Manage personal access tokens.", f"list --filter user_id={PERSON}", "tokens",
        ShortName("list", "List tokens, newest first.", "personal_tokens.list", f"--filter user_id={PERSON}"),
        ShortName("show", "Show one token, without its secret.", "personal_tokens.get", ID),
        ShortName("revoke", "Refuse a token from now on.", "personal_tokens.revoke", ID),
    ),
    group(
        "Look at the audit log: who changed what, and from where.", "list --filter action=tasks.change", "audit",
        ShortName("list", "List events, newest first.", "audit.list", "--filter action=tasks.change"),
        ShortName("show", "Show one event, with values before and after.", "audit.get", ID),
    ),
    group(
        "Manage deliveries: e-mails and other messages on their way out.", "list --filter state=failed", "outbox",
        ShortName("list", "List deliveries, newest first.", "deliveries.list", "--filter state=failed"),
        ShortName("show", "Show one delivery.", "deliveries.get", ID),
        ShortName("retry", "Send failed deliveries again.", "deliveries.retry", "--all --filter state=failed"),
    ),
    group(
        "Manage the embedded PostgreSQL server.", "upgrade --old-bin /usr/lib/postgresql/17/bin", "db",
        LazyCommand("upgrade", "Bring the data folder to the installed major version.", "todo.cli.db:upgrade"),
    ),
    group(
        "Manage the keys that sign access tokens.", "list", "keys",
        ShortName("list", "List signing keys.", "signing_keys.list"),
        ShortName("rotate", "Sign with the next key; tokens of the old key stay valid.", "signing_keys.rotate"),
        ShortName("revoke", "Delete a key; its tokens are refused.", "signing_keys.revoke", ID),
        ShortName("rewrap", "Encrypt every secret again after a change of TODO_SECRET_KEY.", "signing_keys.rewrap"),
    ),
]  # fmt: skip

main = click.version_option(__version__, prog_name="todo")(
    LazyGroup(
        "todo",
        """A task service you run yourself.

        Exit codes: 0 done, 1 refused, 2 wrong usage, 3 not found.

        Start with:

            todo up
        """,
        [
            LazyCommand("up", "Run everything: database, migrations, administrator, API and worker.", "todo.cli.up:up"),
            LazyCommand("server", "Run one API process; start as many as you like.", "todo.cli.server:server"),
            LazyCommand("worker", "Run one worker process; start as many as you like.", "todo.cli.worker:worker"),
            LazyCommand("migrate", "Bring the database to the schema of this version.", "todo.cli.migrate:migrate"),
            LazyCommand(
                "makemigrations",
                "Write a migration for what the models have and the database lacks.",
                "todo.cli.makemigrations:makemigrations",
            ),
            LazyCommand("backup", "Write a backup of the database, and of the secret key.", "todo.cli.backup:backup"),
            LazyCommand("backup-key", "Make the keys that encrypt and decrypt backups.", "todo.cli.backup:backup_key"),
            LazyCommand("restore", "Restore a backup into an empty database.", "todo.cli.restore:restore"),
            LazyCommand("createsuperuser", "Add an administrator.", "todo.cli.createsuperuser:createsuperuser"),
            LazyCommand("check", "Find what would keep this installation from working.", "todo.cli.check:check"),
            LazyCommand("doctor", "Find rows that contradict each other, and repair them.", "todo.cli.doctor:doctor"),
            LazyCommand(
                "settings", "Show every setting, as lines of an environment file.", "todo.cli.settings:settings"
            ),
            LazyCommand(
                "hash-benchmark",
                "Measure password hashing here, and recommend its cost.",
                "todo.cli.hash_benchmark:hash_benchmark",
            ),
            LazyCommand(
                "send-test-email",
                "Send an e-mail at once, to try TODO_MAIL_URL and TODO_MAIL_FROM.",
                "todo.cli.send_test_email:send_test_email",
            ),
            LazyCommand("shell", "Open a Python console on the database.", "todo.cli.shell:shell"),
            LazyCommand("dbshell", "Open psql on the database.", "todo.cli.shell:dbshell"),
            LazyCommand(
                "routes",
                "List the routes of the API, with the permission of each.",
                "todo.cli.routes:routes",
            ),
            LazyCommand(
                "openapi",
                "Write the OpenAPI description of the API, which servers have at /openapi.json.",
                "todo.cli.routes:openapi",
            ),
            LazyCommand(
                "completion", "Print the script that completes `todo` in a shell.", "todo.cli.completion:completion"
            ),
            LazyCommand(
                "permissions", "List every permission, or which role grants which.", "todo.cli.access:permissions"
            ),
            admin,
            *GROUPS,
        ],
        context_settings={"help_option_names": ["-h", "--help"]},
    )
)
