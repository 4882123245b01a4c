"""Quotas: what each user stores is counted by triggers, and growth beyond a limit is refused at commit.

Every change appends a row to `usage_changes` and waits for nobody; the sum of a user's rows is what they store. The
check runs at commit, when nothing else will be locked: it locks the user's usage, so that two transactions cannot pass
a limit together. Occurrences of series are checked at once, without the lock, against twice the limit.
"""
# ruff: noqa: S608 -- fixed words

import json

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

LIMITS = {"tasks": 100_000, "series": 2_000, "reminders": 100_000, "tokens": 100, "storage": 500_000_000}
NAMES = ", ".join(LIMITS)
SUMS = ", ".join(f"coalesce(sum({name}), 0) AS {name}" for name in LIMITS)
# Table -> its owner, and what a row counts.
COUNTED = {
    "tasks": ("owner_id", {"tasks": "1", "storage": "octet_length({row}title) + octet_length({row}notes)"}),
    "series": ("owner_id", {
        "series": "({row}status <> 'ended')::int", "storage": "octet_length({row}template::text)",
    }),
    "reminders": ("user_id", {"reminders": "1"}),
    "personal_tokens": ("user_id", {"tokens": "({row}revoked_at IS NULL)::int"}),
}  # fmt: skip


def amounts(table: str, row: str = "") -> list[str]:
    """What one row of a table counts, for every limit."""
    return [COUNTED[table][1].get(name, "0").format(row=row) for name in LIMITS]


def columns(table: str, row: str = "") -> str:
    return ", ".join(f"{amount} AS {name}" for amount, name in zip(amounts(table, row), LIMITS, strict=True))


QUOTAS_OF = """
CREATE FUNCTION quotas_of(person uuid) RETURNS jsonb STABLE LANGUAGE sql AS $$
    SELECT limits || quotas FROM quota_defaults, users WHERE users.id = person
$$
"""
REFUSE = f"""
CREATE FUNCTION refuse_over_quota(people uuid[], grown text[], factor int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    reached record;
BEGIN
    SELECT resource, (limits->>resource)::bigint AS quota INTO reached
    FROM (SELECT user_id, {SUMS} FROM usage_changes WHERE user_id = ANY (people) GROUP BY user_id) AS total,
        unnest(grown) AS resource, quotas_of(total.user_id) AS limits
    WHERE (limits->>resource)::bigint BETWEEN 1 AND ((to_jsonb(total)->>resource)::bigint - 1) / factor LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the quota of % is reached', reached.resource
            USING ERRCODE = 'QUOTA', CONSTRAINT = reached.resource, DETAIL = reached.quota;
    END IF;
END $$
"""
LOCK = """
CREATE FUNCTION lock_usage(person uuid) RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtextextended('usage ' || person, 0))
$$
"""
SUM_UP = f"""
CREATE FUNCTION sum_up_usage(person uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lock_usage(person);
    WITH gone AS (DELETE FROM usage_changes WHERE user_id = person RETURNING {NAMES})
    INSERT INTO usage_changes (user_id, {NAMES}) SELECT person, {SUMS} FROM gone;
END $$
"""
CHECK = """
CREATE FUNCTION usage_check() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    amounts jsonb := to_jsonb(NEW) - '{id,user_id,is_growth}'::text[];
    grown text[] := ARRAY(SELECT key FROM jsonb_each(amounts) WHERE value > '0');
BEGIN
    PERFORM lock_usage(NEW.user_id);
    PERFORM refuse_over_quota(ARRAY[NEW.user_id], grown, 1);
    IF (SELECT count(*) > 50 FROM usage_changes WHERE user_id = NEW.user_id) THEN
        PERFORM sum_up_usage(NEW.user_id);
    END IF;
    RETURN NULL;
END $$
"""


def count(table: str) -> str:
    """The function that appends what statements on a table change."""
    owner, counted = COUNTED[table]
    insert = f"INSERT INTO usage_changes (user_id, is_growth, {NAMES})"
    sums = ", ".join(f"sum({amount})" for amount in amounts(table))
    minus = ", ".join(f"-sum({amount})" for amount in amounts(table, "old_rows."))
    old = ", ".join(f"-({amount})" for amount in amounts(table, "OLD."))
    new = ", ".join(amounts(table, "NEW."))
    return f"""
CREATE FUNCTION {table}_count_usage() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    opens_occurrences boolean := coalesce(current_setting('todo.opens_occurrences', true), '') = 'on';
    people uuid[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        WITH added AS (
            {insert} SELECT {owner}, NOT opens_occurrences, {sums} FROM new_rows GROUP BY 1 RETURNING user_id
        ) SELECT array_agg(user_id) INTO people FROM added;
        IF opens_occurrences AND people IS NOT NULL THEN
            PERFORM refuse_over_quota(people, ARRAY[{", ".join(map(repr, counted))}], 2);
        END IF;
    ELSIF TG_OP = 'DELETE' THEN  -- not of a user who is deleted with their rows
        {insert} SELECT users.id, false, {minus} FROM old_rows JOIN users ON users.id = {owner} GROUP BY 1;
    ELSE
        {insert} SELECT user_id, greatest({", ".join(f"sum({name})" for name in LIMITS)}) > 0,
            {", ".join(f"sum({name})" for name in LIMITS)}
        FROM (VALUES (OLD.{owner}, {old}), (NEW.{owner}, {new})) AS change (user_id, {NAMES}) GROUP BY 1;
    END IF;
    RETURN NULL;
END $$
"""


def triggers(table: str) -> list[str]:
    owner = COUNTED[table][0]
    run = f"EXECUTE FUNCTION {table}_count_usage()"
    old, new = (", ".join([f"{row}.{owner}", *amounts(table, f"{row}.")]) for row in ("OLD", "NEW"))
    return [
        f"CREATE TRIGGER {table}_count_insert AFTER INSERT ON {table}"
        f" REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT {run}",
        f"CREATE TRIGGER {table}_count_delete AFTER DELETE ON {table}"
        f" REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT {run}",
        f"CREATE TRIGGER {table}_count_update AFTER UPDATE ON {table}"
        f" FOR EACH ROW WHEN (({old}) IS DISTINCT FROM ({new})) {run}",
    ]


FORGET = """
CREATE FUNCTION users_forget_usage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM usage_changes WHERE user_id = OLD.id;
    RETURN NULL;
END $$
"""
TRUTH = " UNION ALL ".join(
    f"SELECT {owner} AS user_id, {columns(table)} FROM {table}" for table, (owner, _) in COUNTED.items()
)
ON_CHANGES = """
CREATE CONSTRAINT TRIGGER usage_check AFTER INSERT ON usage_changes DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.is_growth) EXECUTE FUNCTION usage_check()"""
ON_USERS = "CREATE TRIGGER users_forget_usage AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION users_forget_usage()"
RECOUNT = f"""
CREATE FUNCTION recount_usage(person uuid) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lock_usage(person);
    DELETE FROM usage_changes WHERE user_id = person;
    INSERT INTO usage_changes (user_id, {NAMES})
    SELECT person, {SUMS} FROM ({TRUTH}) AS truth WHERE user_id = person;
    RETURN 1;
END $$
"""
MISCOUNTED = f"""
CREATE FUNCTION miscounted_usage() RETURNS SETOF uuid STABLE LANGUAGE sql AS $$
    SELECT user_id FROM (
        {TRUTH} UNION ALL SELECT user_id, {", ".join(f"-{name}" for name in LIMITS)} FROM usage_changes
    ) AS difference
    GROUP BY 1 HAVING {" OR ".join(f"sum({name}) <> 0" for name in LIMITS)}
$$
"""
USAGE_OF = f"""
CREATE FUNCTION usage_of(person uuid) RETURNS jsonb STABLE LANGUAGE sql AS $$
    SELECT jsonb_object_agg(
        name, jsonb_build_object('used', (to_jsonb(total)->>name)::bigint, 'limit', nullif(quota::bigint, 0))
    )
    FROM jsonb_each_text(quotas_of(person)) AS limits (name, quota),
        (SELECT {SUMS} FROM usage_changes WHERE user_id = person) AS total
$$
"""
STATEMENTS = (
    QUOTAS_OF, REFUSE, LOCK, SUM_UP, CHECK, FORGET, RECOUNT, MISCOUNTED, USAGE_OF, ON_CHANGES, ON_USERS,
)  # fmt: skip
FUNCTIONS = (
    "usage_check()", "users_forget_usage()", "recount_usage(uuid)", "sum_up_usage(uuid)", "lock_usage(uuid)",
    "usage_of(uuid)", "miscounted_usage()", "refuse_over_quota(uuid[], text[], int)", "quotas_of(uuid)",
)  # fmt: skip


def upgrade() -> None:
    op.execute(f"LOCK TABLE {', '.join(COUNTED)} IN SHARE ROW EXCLUSIVE MODE")
    jsonb = postgresql.JSONB(astext_type=sa.Text())
    op.create_table(
        "quota_defaults",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("limits", jsonb, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quota_defaults")),
    )
    op.create_table(
        "usage_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("is_growth", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in LIMITS),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_changes")),
    )
    op.create_index("ix_usage_changes_user", "usage_changes", ["user_id"])
    op.add_column("users", sa.Column("quotas", jsonb, server_default=sa.text("'{}'"), nullable=False))
    op.execute(f"INSERT INTO quota_defaults VALUES (1, '{json.dumps(LIMITS)}')".replace(":", r"\:"))
    counted = f"SELECT user_id, {SUMS} FROM ({TRUTH}) AS truth GROUP BY 1"
    op.execute(f"INSERT INTO usage_changes (user_id, {NAMES}) {counted}")
    for statement in STATEMENTS:
        op.execute(statement)
    for table in COUNTED:
        for statement in (count(table), *triggers(table)):
            op.execute(statement)


def downgrade() -> None:
    for table in COUNTED:
        for name in ("insert", "delete", "update"):
            op.execute(f"DROP TRIGGER {table}_count_{name} ON {table}")
        op.execute(f"DROP FUNCTION {table}_count_usage()")
    op.execute("DROP TRIGGER users_forget_usage ON users")
    op.drop_table("usage_changes")
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
    op.drop_table("quota_defaults")
    op.drop_column("users", "quotas")
