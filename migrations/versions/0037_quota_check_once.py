"""The check of quotas once for all rows of a user in a transaction: handing over 40,000 tasks appends as many."""
# ruff: noqa: S608 -- fixed words

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None
compatible_with = "0036"

LIMITS = ("tasks", "series", "reminders", "tokens", "storage")
SUMS = ", ".join(f"coalesce(sum({name}), 0) AS {name}" for name in LIMITS)
# The first check of a transaction is that of its first row: those after it are its own, or were checked already.
GROWTH = ", ".join(f"max({name}) FILTER (WHERE is_growth AND id >= NEW.id) AS {name}_grown" for name in LIMITS)
OVER = " OR ".join(f"{name}_grown > 0 AND (limits->>'{name}')::bigint BETWEEN 1 AND {name} - 1" for name in LIMITS)
GROWN = ", ".join(f"CASE WHEN {name}_grown > 0 THEN '{name}' END" for name in LIMITS)
CHECK = f"""
CREATE OR REPLACE FUNCTION usage_check() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found record;
BEGIN
    IF NOT EXISTS (SELECT FROM usage_changes WHERE id = NEW.id) THEN
        RETURN NULL;  -- summed up with an earlier row of this transaction, and checked with it
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('usage ' || NEW.user_id, 0));  -- as lock_usage, without a call
    SELECT {OVER} AS is_over, changes > 50 AS is_many, ARRAY[{GROWN}] AS grown INTO found
    FROM (SELECT count(*) AS changes, {SUMS}, {GROWTH}
          FROM usage_changes WHERE user_id = NEW.user_id) AS total,
        (SELECT quota_defaults.limits || users.quotas AS limits FROM quota_defaults, users
         WHERE users.id = NEW.user_id) AS own;
    IF found.is_over THEN
        PERFORM refuse_over_quota(ARRAY[NEW.user_id], found.grown, 1);
    END IF;
    IF found.is_many THEN
        PERFORM sum_up_usage(NEW.user_id);
    END IF;
    RETURN NULL;
END $$
"""
OVER_BEFORE = " OR ".join(
    f"NEW.{name} > 0 AND (limits->>'{name}')::bigint BETWEEN 1 AND total.{name} - 1" for name in LIMITS
)
GROWN_BEFORE = "ARRAY(SELECT key FROM jsonb_each(to_jsonb(NEW) - '{id,user_id,is_growth}'::text[]) WHERE value > '0')"
BEFORE = f"""
CREATE OR REPLACE FUNCTION usage_check() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_over boolean;
    is_many boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('usage ' || NEW.user_id, 0));  -- as lock_usage, without a call
    SELECT {OVER_BEFORE}, changes > 50 INTO is_over, is_many
    FROM (SELECT count(*) AS changes, {SUMS} FROM usage_changes WHERE user_id = NEW.user_id) AS total,
        (SELECT quota_defaults.limits || users.quotas AS limits FROM quota_defaults, users
         WHERE users.id = NEW.user_id) AS own;
    IF is_over THEN
        PERFORM refuse_over_quota(ARRAY[NEW.user_id], {GROWN_BEFORE}, 1);
    END IF;
    IF is_many THEN
        PERFORM sum_up_usage(NEW.user_id);
    END IF;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.execute(CHECK)


def downgrade() -> None:
    op.execute(BEFORE)
